-- Starts `nasc lsp` for .nas files: one server for each folder. Neovim 0.7 and later.
local M = {}

-- What the server is started as, and keys for the buffers that it serves; `setup` changes it.
M.config = { cmd = { "nasc", "lsp" }, keys = true }

local clients = {}

local function folder(bufnr)
  local name = vim.api.nvim_buf_get_name(bufnr)
  local start = name ~= "" and vim.fn.fnamemodify(name, ":p:h") or vim.fn.getcwd()
  local git = vim.fn.finddir(".git", start .. ";")
  return git ~= "" and vim.fn.fnamemodify(git, ":p:h:h") or start
end

-- Runs the program on a file in a terminal below.
local function terminal(args)
  vim.cmd("silent! wall")
  vim.cmd("botright 15new")
  vim.fn.termopen(vim.list_extend({ M.config.cmd[1] }, args))
end

-- What the lenses above a search do. A lens's argument says which.
local function lens(command)
  return function(what)
    local at = what.arguments[1]
    terminal(command(at))
  end
end

local function with_lenses(bufnr)
  vim.lsp.commands["nas.check"] = lens(function(at)
    return { "check", at.file, "--decisions" }
  end)
  vim.lsp.commands["nas.run"] = lens(function(at)
    return { "run", at.file, "--search", at.name }
  end)
  vim.lsp.commands["nas.show"] = lens(function(at)
    local seed = tostring(vim.fn.localtime() % 1000000)
    return { "sample", at.file, "--search", at.name, "-n", "1", "--seed", seed }
  end)
  local function refresh()
    if vim.lsp.codelens.enable then
      pcall(vim.lsp.codelens.enable, true, { bufnr = bufnr })
    else
      pcall(vim.lsp.codelens.refresh)
    end
  end
  refresh()
  vim.api.nvim_create_autocmd({ "BufEnter", "InsertLeave", "TextChanged" }, { buffer = bufnr, callback = refresh })
end

local function attached(_, bufnr)
  with_lenses(bufnr)
  vim.bo[bufnr].omnifunc = "v:lua.vim.lsp.omnifunc"
  if not M.config.keys then
    return
  end
  local function map(key, what, doc)
    vim.keymap.set("n", key, what, { buffer = bufnr, desc = doc })
  end
  map("gd", vim.lsp.buf.definition, "go to the definition")
  map("gr", vim.lsp.buf.references, "list the references")
  map("K", vim.lsp.buf.hover, "show what it is")
  map("<leader>rn", vim.lsp.buf.rename, "rename")
  map("<leader>ca", vim.lsp.buf.code_action, "quick fixes")
  map("<leader>cl", vim.lsp.codelens.run, "check, run, or show a candidate of the search on this line")
  map("<leader>f", function()
    M.format(bufnr)
  end, "format")
end

-- Formats a buffer.
function M.format(bufnr)
  if vim.lsp.buf.format then
    vim.lsp.buf.format({ bufnr = bufnr, timeout_ms = 5000 })
  else
    vim.lsp.buf.formatting_sync(nil, 5000)
  end
end

-- Attaches a buffer to the server of its folder.
function M.start(bufnr)
  bufnr = bufnr == 0 and vim.api.nvim_get_current_buf() or bufnr
  if vim.fn.executable(M.config.cmd[1]) == 0 then
    vim.notify_once(M.config.cmd[1] .. " is not on the PATH: no diagnostics and no completion", vim.log.levels.WARN)
    return
  end
  local root = folder(bufnr)
  local config = { name = "nasc", cmd = M.config.cmd, root_dir = root, on_attach = attached }
  if vim.lsp.start then
    vim.lsp.start(config, { bufnr = bufnr })
    return
  end
  -- Neovim 0.7 does not share servers by itself.
  local id = clients[root]
  if not id or not vim.lsp.get_client_by_id(id) then
    id = vim.lsp.start_client(config)
    clients[root] = id
  end
  if id then
    vim.lsp.buf_attach_client(bufnr, id)
  end
end

-- Changes the configuration: `require("nas").setup({ cmd = { "/opt/nasc", "lsp" } })`.
function M.setup(config)
  M.config = vim.tbl_extend("force", M.config, config or {})
end

return M
