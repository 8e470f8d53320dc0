(comment) @comment
(string) @string
(escape) @string.escape
(number) @number
(boolean) @boolean
(none) @constant

[
  "primitive"
  "block"
  "motif"
  "space"
  "fn"
  "strategy"
  "evaluation"
  "search"
  "environment"
  "algorithm"
  "let"
  "var"
  "share"
  "use"
  "in"
  "forbid"
  "choose"
  "from"
  "assemble"
  "as"
  "param"
  "state"
  "knob"
  "nodes"
  "given"
  "step"
  "log"
] @keyword

[
  "if"
  "else"
] @keyword

[
  "for"
  "while"
  "loop"
  "repeat"
  "break"
  "continue"
] @keyword

"return" @keyword

[
  ">>"
  ".."
  "..="
  "=>"
  "->"
  "<-"
  "||"
  "&&"
  "=="
  "!="
  "<="
  ">="
  "<"
  ">"
  "+"
  "-"
  "*"
  "/"
  "%"
  "^"
  "!"
  "="
] @operator

[
  "("
  ")"
  "["
  "]"
  "{"
  "}"
] @punctuation.bracket

[
  ","
  ":"
  "."
  "|"
] @punctuation.delimiter

(identifier) @variable
(path (identifier) @namespace)
(named_type name: (identifier) @type)
(reducer) @function.builtin
(parameter name: (identifier) @parameter)
(argument name: (identifier) @parameter)
(field name: (identifier) @property)
(member name: (identifier) @property)
(alternative label: (identifier) @constant)
(choose name: (identifier) @label)
(call function: (identifier) @function.call)
(primitive name: (identifier) @function)
(architecture name: (identifier) @function)
(function name: (identifier) @function)
(search name: (identifier) @function)
(environment name: (identifier) @function)
(algorithm name: (identifier) @function)
