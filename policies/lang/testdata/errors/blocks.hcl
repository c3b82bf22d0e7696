plumb {
  required_version = "~> 9.0" # ERROR: Unsupported version of Plumb; asks for Plumb ~> 9.0
}

policey "x" { # ERROR: Unsupported block type; Did you mean "policy"?
}

resource "file" "x" { # ERROR: Block outside of a policy
}

framework "r" { # ERROR: Not supported yet; "framework"
}

removed { # ERROR: Not supported yet
}

test "t" { # ERROR: Test outside of a test file; .test.hcl
}

policy { # ERROR: Missing name for policy
}

policy "not a name" { # ERROR: Unusable name
}

policy "p" {
  titel = "x" # ERROR: Unsupported argument; Did you mean "title"?

  module "m" { # ERROR: Not supported yet
  }
}

policy "p" { # ERROR: Duplicate declaration; declared at blocks.hcl:26
}

locals {
  a = 1
}

locals {
  a = 2 # ERROR: Duplicate declaration
}
