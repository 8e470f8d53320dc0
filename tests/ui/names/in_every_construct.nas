use std.ops.*

block b(x[..], c: int) {
  let f = choose { a: conv(q0, 3) | b: conv(c, choose k from [q1]) | c: conv(c, choose n in 1..=q2) } //~ E0203 "there is no `q0` here" //~ E0203 "there is no `q1` here" //~ E0203 "there is no `q2` here"
  let g = assemble q3 nodes { edge = conv(q4 + i + j, 3)  merge = concat >> conv(q5, 1) } //~ E0203 "there is no `q3` here" //~ E0203 "there is no `q4` here" //~ E0203 "there is no `q5` here"
  let h = repeat q6 as layer { conv(q7 + layer, 3) } //~ E0203 "there is no `q6` here" //~ E0203 "there is no `q7` here"
  let xs = [y >> conv(q8, 3) for y in [x] if q9 > 0] //~ E0203 "there is no `q8` here" //~ E0203 "there is no `q9` here"
  let l = z => z + q10 //~ E0203 "there is no `q10` here"
  forbid q11 == 1 //~ E0203 "there is no `q11` here"
  if q12 { (x >> f >> g >> h) + sum(xs) } else { l(x) } //~ E0203 "there is no `q12` here"
}
