use std.ops.*

block cell(c: int) = assemble 4 nodes { egde = conv(c, 3)  merge = sum } //~ E0114 "`assemble` has no field `egde`"
