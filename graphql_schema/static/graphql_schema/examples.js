// What the tabs of the playground ask of the sample DSRs.
const EXAMPLES = [
  `# The recordings that together have half of the revenue in Spain, the highest first.
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
  `# One recording over the DSRs that report it.
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
  `# What was used in each month.
query UsageByMonth {
  statistics(groupBy: PERIOD) {
    edges { node { periodStart periodEnd dsrCount lineCount usages revenueEur } }
  }
}
`,
  `# What each territory comes to.
query Statistics {
  statistics(groupBy: TERRITORY) {
    edges { node { territory { name code2 } dsrCount usages revenueEur withoutIsrcShare } }
  }
}
`,
];
