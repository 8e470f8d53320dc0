// Looks a candidate up in a file of results, such as NAS-Bench-201, instead of training it.
//
// `key` says how the file names a candidate: `{cell.edge(0,1).op}` stands for the value of that decision. `seconds` is
// the column of what training would have cost; it counts for `budget = simulated(..)`.
evaluation table(file: string, column: string, key: string, accuracy: string, seconds: string, test: string = "") {
  let row = lookup(candidate, file, column, key)
  return {
    accuracy: row.metric(accuracy),
    seconds: row.metric(seconds),
    test: if test == "" { 0.0 } else { row.metric(test) },
  }
}
