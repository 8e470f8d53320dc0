if exists("b:did_indent")
  finish
endif
let b:did_indent = 1
setlocal indentexpr=NasIndent() indentkeys=0},0),0],!^F,o,O
let b:undo_indent = "setlocal indentexpr< indentkeys<"

if exists("*NasIndent")
  finish
endif

" One step inside brackets that the line before leaves open; a closing bracket goes one step back.
function NasIndent()
  let above = prevnonblank(v:lnum - 1)
  if above == 0
    return 0
  endif
  let code = substitute(getline(above), '//.*$', '', '')
  let step = indent(above)
  if code =~ '[{(\[]\s*$'
    let step += shiftwidth()
  endif
  if getline(v:lnum) =~ '^\s*[})\]]'
    let step -= shiftwidth()
  endif
  return step
endfunction
