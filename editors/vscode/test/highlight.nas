use std.ops.*
// <- keyword.control.import
//  ^^^ entity.name.namespace
//      ^^^ entity.name.namespace

space small(image[N, C, H, W], classes: int, width: int = 16) {
// <- storage.type
//    ^^^^^ entity.name.function
//                ^ variable.other.constant.extent
//                                      ^^^ support.type
//                                                        ^^ constant.numeric
  motif cell(c: int) = choose op { none | narrow: conv(c, 1) | 2: conv(c, 3) }
//^^^^^ storage.type
//      ^^^^ entity.name.function
//                     ^^^^^^ keyword.control.choose
//                            ^^ entity.name.tag.decision
//                                 ^^^^ constant.language
//                                        ^^^^^^ variable.other.enummember
//                                                ^^^^ entity.name.function.call
  let k = choose kernel from [1, 3]
//^^^ storage.type
//        ^^^^^^ keyword.control.choose
//               ^^^^^^ entity.name.tag.decision
//                      ^^^^ keyword.control
  let f = choose from [1, 3]
//        ^^^^^^ keyword.control.choose
//               ^^^^ keyword.control
  image >> conv(width, stride = 2) >> cell(width) // a comment
//      ^^ keyword.operator.pipeline
//         ^^^^ entity.name.function.call
//                     ^^^^^^ variable.parameter
//                                                ^^^^^^^^^^^^ comment.line
}

primitive scale(x[..], by: float = 2.0) -> y[..] {
// <- storage.type
  param w[C] = ones()
//^^^^^ storage.modifier
//      ^ variable.other
  y[..] = sum[c] x[.., c] * w[c]
//        ^^^ keyword.operator.reduction
//                 ^^ keyword.operator.range
}

strategy walk(sample: int = 25) {
  for t in results() {
//^^^ keyword.control
//      ^^ keyword.control
//         ^^^^^^^ entity.name.function.call
    if t.reward == none && "a \" b" != "" { submit(mutate(t.candidate)) }
//  ^^ keyword.control
//       ^^^^^^ variable.other.member
//                         ^^^^^^^^ string.quoted.double
//                            ^^ constant.character.escape
//                                  ^^ - string
  }
}

search tiny {
  budget = trials(10)
//^^^^^^ variable.parameter
  memory = 4GB
//         ^ constant.numeric
//          ^^ keyword.other.unit
  objective = accuracy - 5% * log2(latency / 5ms)
//                       ^ constant.numeric
//                        ^ keyword.other.unit
//                                            ^^ keyword.other.unit
}
