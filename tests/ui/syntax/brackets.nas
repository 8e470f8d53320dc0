block stem(c: int) = conv(c, 3

block head(x[..]) = x
