-- A session with the real editor: `nvim --headless -u NONE -i NONE --cmd 'set rtp^=editors/nvim' -S editors/nvim/test/session.lua`.
-- $NASC is the program. It opens a file with a mistake, and works on it as a person would.
local function fail(what)
  io.stderr:write("FAILED: " .. tostring(what) .. "\n")
  vim.cmd("cquit 1")
end

local function text()
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n") .. "\n"
end

-- Puts the cursor on the first `what` and returns its line.
local function go(what, offset)
  vim.api.nvim_win_set_cursor(0, { 1, 0 })
  assert(vim.fn.search("\\V" .. what, "cW") > 0, "no `" .. what .. "` in\n" .. text())
  if offset then
    local at = vim.api.nvim_win_get_cursor(0)
    vim.api.nvim_win_set_cursor(0, { at[1], at[2] + offset })
  end
end

local function wait(what, condition)
  assert(vim.wait(20000, condition, 20), "in 20 seconds not: " .. what)
end

-- The first answer to a request.
local function ask(method, params)
  local answers = assert(vim.lsp.buf_request_sync(0, method, params, 20000), method .. " is not answered")
  for _, answer in pairs(answers) do
    assert(not answer.error, method .. ": " .. vim.inspect(answer.error))
    return answer.result
  end
end

local MISTAKE = [[
use std.ops.*

space small(image[N, C, H, W], classes: int, width:int = 8) {
  let k = choose kernel from [1, 3]
  image >> conv(width, k) >> relu >> global_avg_pool >> linaer(classes)
}

fn best_kernel(c: candidate) -> candidate {
  for d in c.decisions("**.kernel") { log(d.name) }
  c
}

search tiny {
  data = digits()
  space = small()
}
]]

local function session()
  vim.cmd("filetype plugin indent on")
  vim.cmd("syntax on")
  require("nas").setup({ cmd = { vim.env.NASC or "nasc", "lsp" } })
  local dir = vim.fn.tempname()
  vim.fn.mkdir(dir, "p")
  local file = dir .. "/net.nas"
  local f = assert(io.open(file, "w"))
  f:write(MISTAKE)
  f:close()
  vim.cmd("edit " .. file)
  assert(vim.bo.filetype == "nas", "filetype " .. vim.bo.filetype)

  -- The mistake is shown.
  wait("diagnostics", function()
    return #vim.diagnostic.get(0) > 0
  end)
  local d = vim.diagnostic.get(0)[1]
  assert(d.message:find("linaer"), d.message)
  assert(d.lnum == 4, "line " .. d.lnum)

  -- The quick fix.
  go("linaer")
  local params = vim.lsp.util.make_range_params()
  params.context = { diagnostics = {} }
  local actions = ask("textDocument/codeAction", params)
  assert(actions[1].title == "write `linear`", vim.inspect(actions))
  vim.lsp.util.apply_workspace_edit(actions[1].edit, "utf-16")
  assert(text():find(">> linear%(classes%)"), text())
  wait("no diagnostics", function()
    return #vim.diagnostic.get(0) == 0
  end)

  -- Formatting.
  require("nas").format(0)
  assert(text():find("width: int = 8", 1, true), text())

  -- Completion.
  go("relu", 2)
  local items = ask("textDocument/completion", vim.lsp.util.make_position_params())
  local found = false
  for _, item in ipairs(items.items or items) do
    found = found or item.label == "relu"
  end
  assert(found, "`relu` is offered")

  -- A decision, renamed with the selector that names it.
  go("kernel from")
  vim.lsp.buf.rename("window")
  wait("the new name", function()
    return text():find("choose window from", 1, true) and text():find("**.window", 1, true)
  end)

  -- Lenses: the candidate is drawn by the program, in a terminal.
  vim.cmd("write")
  local lenses = ask("textDocument/codeLens", { textDocument = vim.lsp.util.make_text_document_params() })
  local shown = {}
  for _, l in ipairs(lenses) do
    shown[l.command.title] = l.command
  end
  assert(shown["check"] and shown["run"] and shown["show candidate"], vim.inspect(lenses))
  local window = vim.api.nvim_get_current_win()
  vim.lsp.commands[shown["show candidate"].command](shown["show candidate"])
  wait("a candidate", function()
    return text():find('"window":', 1, true)
  end)
  vim.cmd("bwipeout!")
  vim.api.nvim_set_current_win(window)

  -- Highlighting.
  go("choose")
  local group = vim.fn.synIDattr(vim.fn.synID(vim.fn.line("."), vim.fn.col("."), 1), "name")
  assert(group == "nasChoose", "`choose` is " .. group)

  -- Into the standard library.
  vim.cmd("write")
  go("conv(", 1)
  vim.lsp.buf.definition()
  wait("the standard library", function()
    return vim.api.nvim_buf_get_name(0):find("std/ops.nas", 1, true)
  end)
  assert(vim.api.nvim_get_current_line():find("^primitive conv%("), vim.api.nvim_get_current_line())
end

local ok, problem = xpcall(session, debug.traceback)
if ok then
  io.stdout:write("neovim: ok\n")
  vim.cmd("qall!")
else
  fail(problem)
end
