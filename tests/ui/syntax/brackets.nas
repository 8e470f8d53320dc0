block stem(c: int) = conv(c, 3 //~ E0203 "there is no `conv` here" //~ E0104 "this `(` is not closed"

block head(x[..]) = x
