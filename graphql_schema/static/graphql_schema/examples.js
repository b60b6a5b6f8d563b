// The example queries in the tabs of the playground. They fit the sample DSRs and the sample usage.
const EXAMPLES = [
  `# The highest-earning recordings that together make 50 % of the revenue in Spain.
query TopPercentile {
  topResources(percentile: 50, territory: "ES", first: 10) {
    totalCount
    edges {
      node {
        rank
        cumulativeShare
        resource { title artists revenueEur }
      }
    }
  }
}
`,
  `# One recording and the DSRs that report it.
query OneResource {
  resources(dspId: "zufLZzDh2WzxeuDRhcCAGr") {
    edges {
      node {
        title
        artists
        isrc
        usages
        revenueEur
        reports {
          edges {
            node {
              usages
              revenue
              revenueEur
              dsr { path territory { name } currency { code } periodStart }
            }
          }
        }
      }
    }
  }
}
`,
  `# Usages and revenue by month.
query UsageByMonth {
  statistics(groupBy: PERIOD) {
    edges { node { periodStart periodEnd dsrCount lineCount usages revenueEur } }
  }
}
`,
  `# Usages and revenue by territory.
query Statistics {
  statistics(groupBy: TERRITORY) {
    edges { node { territory { name code2 } dsrCount usages revenueEur withoutIsrcShare } }
  }
}
`,
  `# Some subscriptions with their usage by month.
query SubscriptionUsage {
  subscriptions(carrier: att, first: 5) {
    edges {
      node {
        id
        status
        usage(from: "2020-02-01", to: "2020-03-31", groupBy: MONTH) {
          edges { node { usageType month totalPrice totalUsage unit } }
        }
      }
    }
  }
}
`,
  `# A limit for the price of data in each month. Sign in to the admin first.
mutation SetPriceLimit {
  setPriceLimit(type: data, span: month, price: "3", since: "2020-02-01") {
    priceLimit { id price since }
  }
}
`,
  `# The price limits, and which subscriptions reached them on which day. A worker finds this out.
query PriceLimits {
  limitsAreCurrent
  priceLimits { edges { node { id usageType span price carrier subscriptionId since } } }
  limitCrossings(type: data, span: month, first: 10) {
    totalCount
    edges { node { subscriptionId month day priceLimit scope foundAt } }
  }
}
`,
];
