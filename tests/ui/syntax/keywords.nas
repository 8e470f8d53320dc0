blok cell(x[..]) = x
