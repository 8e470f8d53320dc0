if exists("b:current_syntax")
  finish
endif

syntax keyword nasDeclaration primitive block motif space fn strategy evaluation search environment algorithm let var share
syntax keyword nasKeyword use for in while loop if else return break continue forbid from assemble repeat as
syntax keyword nasChoose choose
syntax keyword nasConstant true false none
syntax keyword nasType int float bool string list
syntax match nasNumber "\<\d[0-9_]*\%(\.\d[0-9_]*\)\?\%([eE][+-]\?\d\+\)\?\%(%\|\a\+\)\?"
syntax match nasCall "\<\h\w*\ze("
syntax match nasReduction "\<\%(sum\|max\|min\|mean\|prod\)\ze\["
syntax match nasSlot "^\s*\zs\%(param\|state\|knob\)\ze\s\+\h"
syntax match nasOperator ">>\|=>\|->\|<-\|\.\.=\?\|[<>=!]=\|&&\|||\|[-+*/%^<>!?|=]"
syntax match nasField "\.\@<!\.\zs\h\w*"
syntax match nasDecision "\<choose\s\+\zs\%(in\>\|from\>\|if\>\)\@!\h\w*\ze\s*\%({\|\<in\>\|\<from\>\|\d\|$\)"
syntax match nasEscape "\\." contained
syntax region nasString start=+"+ skip=+\\.+ end=+"\|$+ contains=nasEscape
syntax match nasComment "//.*$" contains=@Spell

highlight default link nasDeclaration Structure
highlight default link nasKeyword Keyword
highlight default link nasChoose Statement
highlight default link nasConstant Constant
highlight default link nasType Type
highlight default link nasNumber Number
highlight default link nasCall Function
highlight default link nasReduction Operator
highlight default link nasSlot StorageClass
highlight default link nasOperator Operator
highlight default link nasField Identifier
highlight default link nasDecision Label
highlight default link nasEscape SpecialChar
highlight default link nasString String
highlight default link nasComment Comment

let b:current_syntax = "nas"
