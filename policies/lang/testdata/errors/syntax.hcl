policy "p" {
  title = "x" "y" # ERROR: Missing newline after argument
}
