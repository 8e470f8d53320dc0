blok cell(x[..]) = x //~ E0107 "there is no declaration `blok`"
