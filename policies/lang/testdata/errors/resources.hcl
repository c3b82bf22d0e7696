policy "p" {
  mode     = "enforced" # ERROR: Unknown word; Did you mean "enforce"?
  severity = "urgent"   # ERROR: Unknown word; critical, high, medium, low
  version  = "1.4"      # ERROR: Unusable version; three numbers

  resource "fiel" "x" { # ERROR: Unknown kind; Did you mean "file"?
  }
  resource "listening_ports" "x" { # ERROR: Unknown kind; is a kind of check
  }
  resource "file" "a" { # ERROR: Missing required argument
    contnet = "x"       # ERROR: Unsupported argument; Did you mean "content"?
  }
  resource "file" "b" {
    path = "/b"
    mode = 0644 # ERROR: Wrong type of value; must stand in quotes
  }
  resource "file" "c" {
    path         = "/c"
    validate_cmd = "visudo -c" # ERROR: Wrong type of value; Put it into brackets
  }
  resource "file" "d" {
    path          = "/d"
    source_digest = "x" # ERROR: Unsupported argument; cannot be set
  }
  resource "file" "e" {
    path     = "/e"
    timeout  = "5 seconds" # ERROR: Unusable duration
    controls = ["5.1.20"]  # ERROR: Unusable control
    window   = "x"         # ERROR: Unusable window; by their names
    retry { # ERROR: Incomplete retry
    }
    confirm { # ERROR: Not supported yet
    }
  }
  resource "file" "e" { # ERROR: Duplicate declaration
    path = "/e2"
  }
  resource "file" "f" {
    path = "relative" # ERROR: Invalid value
  }
  resource "file" "g" {
    path   = "/g"
    source = "motd.txt" # ERROR: Missing file; Did you mean "files/motd.txt"?
  }
  resource "file" "h" {
    path    = "/h"
    content = file("files/mtd.txt") # ERROR: Error in function call; Did you mean "files/motd.txt"?
  }
  resource "file" "i" {
    path    = "/i"
    content = templatefile("files/bad.tmpl", { name = "x" }) # ERROR: Error in function call; files/bad.tmpl:2,3
  }
  resource "file" "j" {
    path    = "/j"
    content = uper("x") # ERROR: Call to unknown function; Did you mean "upper"?
  }
  resource "file" "k" {
    path    = "/k"
    content = file("../secret") # ERROR: Error in function call; outside of the policy repository
  }
  resource "file" "l" {
    path   = "/l"
    backup = 1.5 # ERROR: Wrong type of value; a whole number
  }
  resource "file" "m" {
    path    = "/m"
    content = file.l.path # ERROR: Reference to a resource
  }
  resource "file" "n" {
    path = null # ERROR: Missing value
  }
}
