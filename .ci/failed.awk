# Reads what go test -v ./... printed and writes a line for each test that failed: its package, and
# a pattern for -run that names it with those of its subtests that failed. After a panic nobody
# knows which tests are missing: then it is the whole package.
function forget() { delete top; delete level; delete depth; delete seen; tops = panicked = 0 }
function tell(pkg,   t, i, line) {
  if (panicked || !tops) print pkg, "."
  else for (t in top) {
    line = "^" t "$"
    for (i = 2; i <= depth[t]; i++) line = line "/^(" level[t, i] ")$"
    print pkg, line
  }
}
/^panic:/ { panicked = 1 }
/^ *--- FAIL: / {
  n = split($3, part, "/"); t = part[1]
  if (/^---/) { top[t] = 1; tops++ }
  for (i = 2; i <= n; i++) if (!seen[t, i, part[i]]++) level[t, i] = level[t, i] (level[t, i] ? "|" : "") part[i]
  if (n > depth[t]) depth[t] = n
}
/^FAIL[ \t]+plumb/ { tell($2) }
/^(ok|FAIL)[ \t]+plumb/ || /\[no test files\]/ { forget() }
