//! The built-in functions of the architecture half: their names and what they do. Elaboration runs them.

macro_rules! builtins {
    ($($variant:ident $name:literal $doc:literal),* $(,)?) => {
        /// Functions of the architecture half that are not declared anywhere.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Builtin { $(#[doc = $doc] $variant),* }

        impl Builtin {
            /// All of them: name, built-in, documentation.
            pub const ALL: &'static [(&'static str, Builtin, &'static str)] =
                &[$(($name, Builtin::$variant, $doc)),*];
        }
    };
}

builtins! {
    Len "len" "`len(xs)`: how many elements a list has",
    Concat "concat" "`concat(xs, axis = 1)`: tensors one after the other along an axis; `none` is left out",
    Sum "sum" "`sum(xs)`: the sum of tensors of one shape, or of numbers; `none` is left out",
    Split "split" "`split(x, n, axis = 1)`: n equal parts along an axis",
    Unused "unused" "`unused(xs)`: the tensors of xs that no operation has read so far (loose ends)",
    Shape "shape" "`shape(x)`: the extents of a tensor, as a list",
    Zeros "zeros_like" "`zeros_like(x)`: zeros of the shape of x, which sums and concatenations leave out",
    Max "max" "`max(a, b)` or `max(xs)`: the greatest number",
    Min "min" "`min(a, b)` or `min(xs)`: the least number",
    Ceil "ceil" "`ceil(a / b)`: division rounding up",
    Floor "floor" "`floor(a / b)`: division rounding down",
    Round "round" "`round(a)`: the nearest whole number",
    Int "int" "`int(a)`: a number without its fraction",
    Float "float" "`float(a)`: a number as a real number",
    Abs "abs" "`abs(a)`: without its sign",
    Exp "exp" "`exp(a)`",
    Log "log" "`log(a)`: the natural logarithm",
    Log2 "log2" "`log2(a)`: the logarithm to base 2",
    Sqrt "sqrt" "`sqrt(a)`",
    Pow "pow" "`pow(a, b)`",
    Enumerate "enumerate" "`enumerate(xs)`: pairs of index and element",
    Zip "zip" "`zip(xs, ys)`: pairs of elements",
    Reversed "reversed" "`reversed(xs)`: the elements from last to first",
    Flatten "flatten" "`flatten(xss)`: the elements of the elements",
    Map "map" "`map(xs, f)`: f of each element",
    Scan "scan" "`scan(f, xs, h0)`: f(x, h) along axis 1 of xs with one set of weights and decisions, from the state h0; the list of states",
}
