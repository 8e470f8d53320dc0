primitive outer(x[N, C]) -> y[N, C] {
  y[n, c] = sum[k: C] x[n, k * c] //~ E0604 "this index is not affine"
}
