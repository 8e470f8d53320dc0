use std.ops.*

block b(x[..], n: int) {
  for i in 0..n { let inner = x >> relu  let _also = inner }
  let ks = [k for k in 0..n]
  x >> conv(i + k + len(ks) + len(inner), 3) //~ E0203 "there is no `i` here" //~ E0203 "there is no `k` here" //~ E0203 "there is no `inner` here"
}
