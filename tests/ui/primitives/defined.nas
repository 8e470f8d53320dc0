primitive f(x[N, C]) -> y[N, C], z[N] { //~ E0605 "the output `z` is never defined"
  let h = 2
  t[n, c] = x[n, c] * h
  t[n, c] = x[n, c] //~ E0605 "`t` is defined twice"
  y[n, c] = t[n, c]
}
