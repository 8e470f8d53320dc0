;;; nas-mode.el --- Neural architecture search in .nas files -*- lexical-binding: t -*-

;; Version: 0.1.0
;; Package-Requires: ((emacs "27.1"))
;; Keywords: languages
;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Commentary:

;; Highlighting, indentation, an index of declarations, and the language server `nasc lsp' by eglot.

;;; Code:

(defgroup nas nil "Neural architecture search in .nas files." :group 'languages)

(defcustom nas-program "nasc"
  "The nasc program: a name that is on the path, or a file."
  :type 'string)

(defcustom nas-indent-offset 2
  "Columns of one step of indentation."
  :type 'integer
  :safe #'integerp)

(defconst nas-declarations
  '("primitive" "block" "motif" "space" "fn" "strategy" "evaluation" "search" "environment" "algorithm")
  "Words that begin a declaration.")

(defconst nas-keywords
  '("use" "let" "var" "share" "for" "in" "while" "loop" "if" "else" "return" "break" "continue" "forbid"
    "choose" "from" "assemble" "repeat" "as")
  "The other words of the language.")

(defconst nas-constants '("true" "false" "none") "Values that are words.")

(defvar nas-font-lock-keywords
  `((,(concat "\\_<" (regexp-opt nas-declarations t) "\\s-+\\(\\_<\\(?:\\sw\\|\\s_\\)+\\)")
     (1 font-lock-keyword-face) (2 font-lock-function-name-face))
    ("\\_<choose\\s-+\\(\\(?:\\sw\\|\\s_\\)+\\)\\s-*\\(?:{\\|\\_<in\\_>\\|\\_<from\\_>\\|[0-9]\\|$\\)"
     (1 font-lock-variable-name-face))
    ("^\\s-*\\(param\\|state\\|knob\\)\\s-+\\(\\sw+\\)" (1 font-lock-type-face) (2 font-lock-variable-name-face))
    (,(regexp-opt (append nas-declarations nas-keywords) 'symbols) . font-lock-keyword-face)
    (,(regexp-opt nas-constants 'symbols) . font-lock-constant-face)
    ("\\_<\\(int\\|float\\|bool\\|string\\|list\\)\\_>" . font-lock-type-face)
    ("[{|]\\s-*\\(\\(?:\\sw\\|\\s_\\)+\\):" (1 font-lock-constant-face))
    ("\\_<\\(\\(?:\\sw\\|\\s_\\)+\\)(" (1 font-lock-function-name-face)))
  "What is highlighted in `nas-mode'.")

(defvar nas-mode-syntax-table
  (let ((table (make-syntax-table)))
    (modify-syntax-entry ?/ ". 12" table)
    (modify-syntax-entry ?\n ">" table)
    (modify-syntax-entry ?\" "\"" table)
    (modify-syntax-entry ?_ "_" table)
    table)
  "The syntax table of `nas-mode'.")

(defun nas-indent-line ()
  "Indents the line: one step for each bracket that is open before it."
  (interactive)
  (let* ((column
          (save-excursion
            (back-to-indentation)
            (let* ((closes (looking-at "[])}]"))
                   (opener (nth 1 (syntax-ppss (line-beginning-position)))))
              (if (not opener)
                  (if (looking-at ">>") (current-column) 0)
                (goto-char opener)
                (+ (current-indentation) (if closes 0 nas-indent-offset))))))
         (from-end (- (point-max) (point))))
    (save-excursion (indent-line-to column))
    (when (> (- (point-max) from-end) (point))
      (goto-char (- (point-max) from-end)))))

;;;###autoload
(define-derived-mode nas-mode prog-mode "NAS"
  "A mode for .nas files."
  (setq-local comment-start "// ")
  (setq-local comment-start-skip "//+\\s-*")
  (setq-local indent-tabs-mode nil)
  (setq-local indent-line-function #'nas-indent-line)
  (setq-local font-lock-defaults '(nas-font-lock-keywords))
  (setq-local imenu-generic-expression
              (list (list nil (concat "^\\s-*" (regexp-opt nas-declarations t) "\\s-+\\(\\(?:\\sw\\|\\s_\\)+\\)") 2))))

;;;###autoload
(add-to-list 'auto-mode-alist '("\\.nas\\'" . nas-mode))

(defvar eglot-server-programs)
(with-eval-after-load 'eglot
  (add-to-list 'eglot-server-programs (cons 'nas-mode (lambda (&rest _) (list nas-program "lsp")))))

(provide 'nas-mode)
;;; nas-mode.el ends here
