// Searches NAS-Bench-201 (Dong and Yang 2020) without training: what a candidate reaches stands in a table.
//
// Get the benchmark's results as a CSV file, plain or gzipped, with a row for each of the 15,625 architectures, and give
// its path below (relative to this file). Columns used here:
//
//   arch_str                   |nor_conv_3x3~0|+|none~0|skip_connect~1|+|..
//   c10_valid_12ep             validation accuracy on CIFAR-10 after 12 epochs: what the search sees
//   c10_search12_seconds_est   seconds that those epochs take: what the search pays
//   c10_test_200ep             test accuracy after 200 epochs: what is reported
//
// The paper gives every method 12,000 seconds (table 5). Evolution then finds 93.9 % on average, random search 93.7 %.
use std.spaces.nasbench201
use std.strategies.aging_evolution
use std.evaluations.table

search nasbench201_table {
  data      = digits() // only so that the space has a shape; nothing is trained
  space     = nasbench201()
  evaluate  = table(
    file = "nasbench201.csv.gz",
    column = "arch_str",
    key = "|{cell.edge(0,1).op}~0|+|{cell.edge(0,2).op}~0|{cell.edge(1,2).op}~1|+|{cell.edge(0,3).op}~0|{cell.edge(1,3).op}~1|{cell.edge(2,3).op}~2|",
    accuracy = "c10_valid_12ep",
    seconds = "c10_search12_seconds_est",
    test = "c10_test_200ep",
  )
  strategy  = aging_evolution(population = 10, sample = 3)
  objective = accuracy
  budget    = simulated(12000s)
}
