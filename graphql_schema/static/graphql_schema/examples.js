// The example queries in the tabs of the playground. They fit the sample DSRs.
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
];
