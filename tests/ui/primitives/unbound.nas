//@ snapshot
primitive shift(x[N, C]) -> y[N, C] {
  y[n, c] = x[n, c + k] //~ E0601 "unknown index `k`"
}
primitive of_nothing(x[N, C]) -> y[N, D] { //~ E0602 "no input binds the extent `D`"
  y[n, d] = x[n, d] //~ E0608 "the index `d` has two ranges: D and C"
}
