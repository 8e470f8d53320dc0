use std.ops.*

block b(x[..], c: int) {
  let f = choose { a: conv(q0, 3) | b: conv(c, choose k from [q1]) | c: conv(c, choose n in 1..=q2) }
  let g = assemble q3 nodes { edge = conv(q4 + i + j, 3)  merge = concat >> conv(q5, 1) }
  let h = repeat q6 as layer { conv(q7 + layer, 3) }
  let xs = [y >> conv(q8, 3) for y in [x] if q9 > 0]
  let l = z => z + q10
  forbid q11 == 1
  if q12 { (x >> f >> g >> h) + sum(xs) } else { l(x) }
}
