vim.bo.commentstring = "// %s"
vim.bo.comments = "://"
vim.bo.shiftwidth = 2
vim.bo.tabstop = 2
vim.bo.expandtab = true
vim.b.undo_ftplugin = "setlocal commentstring< comments< shiftwidth< tabstop< expandtab<"
require("nas").start(0)
