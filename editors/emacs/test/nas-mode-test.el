;;; nas-mode-test.el --- Highlighting and indentation -*- lexical-binding: t -*-
;; emacs -Q --batch -L editors/emacs -l editors/emacs/test/nas-mode-test.el -f ert-run-tests-batch-and-exit

(require 'ert)
(require 'imenu)
(require 'nas-mode)

(defun nas-face-of (what)
  "The face of the first WHAT in the buffer."
  (goto-char (point-min))
  (search-forward what)
  (get-text-property (match-beginning 0) 'face))

(ert-deftest nas-highlights ()
  (with-temp-buffer
    (insert "// a block\nmotif cell(c: int) = choose op { none | skip: identity | conv(c, 3) }\n")
    (nas-mode)
    (font-lock-ensure)
    (should (eq (nas-face-of "a block") 'font-lock-comment-face))
    (should (eq (nas-face-of "motif") 'font-lock-keyword-face))
    (should (eq (nas-face-of "cell") 'font-lock-function-name-face))
    (should (eq (nas-face-of "choose") 'font-lock-keyword-face))
    (should (eq (nas-face-of "op {") 'font-lock-variable-name-face))
    (should (eq (nas-face-of "none") 'font-lock-constant-face))
    (should (eq (nas-face-of "skip") 'font-lock-constant-face))
    (should (eq (nas-face-of "conv") 'font-lock-function-name-face))))

(ert-deftest nas-indents ()
  (let ((text "fn f() {\n  for t in results() {\n    submit(t)\n  }\n}\n"))
    (with-temp-buffer
      (insert (replace-regexp-in-string "^ +" "" text))
      (nas-mode)
      (let ((inhibit-message t))
        (indent-region (point-min) (point-max)))
      (should (equal (buffer-string) text)))))

(ert-deftest nas-lists-declarations ()
  (with-temp-buffer
    (insert "space small(x[N]) { x }\n\nsearch tiny {\n}\n")
    (nas-mode)
    (should (equal (mapcar #'car (cdr (imenu--make-index-alist t))) '("small" "tiny")))))

;;; nas-mode-test.el ends here
