//! Starts `nasc lsp` for Zed.

use zed_extension_api::{self as zed, settings::LspSettings, LanguageServerId, Result};

struct Nas;

impl zed::Extension for Nas {
    fn new() -> Self {
        Self
    }

    /// The program that the settings name (`lsp.nasc.binary.path`), else the one on the PATH.
    fn language_server_command(&mut self, id: &LanguageServerId, worktree: &zed::Worktree) -> Result<zed::Command> {
        let set = LspSettings::for_worktree(id.as_ref(), worktree).ok().and_then(|s| s.binary);
        let path = set.as_ref().and_then(|b| b.path.clone()).or_else(|| worktree.which("nasc"));
        Ok(zed::Command {
            command: path.ok_or("nasc is not on the PATH: install it, or set lsp.nasc.binary.path")?,
            args: set.and_then(|b| b.arguments).unwrap_or_else(|| vec!["lsp".to_string()]),
            env: worktree.shell_env(),
        })
    }
}

zed::register_extension!(Nas);
