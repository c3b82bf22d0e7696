group "canary" {
  match = host.name == "a"
}

rollout "empty" { # ERROR: Rollout without rings
  carries = "relases" # ERROR: Unknown word; Did you mean "releases"?
}

rollout "nothing" { # ERROR: Missing carries
  ring "all" {
    group = group.canary
  }
}

rollout "r" {
  carries    = "releases"
  conffiles  = "kep"    # ERROR: Unknown word; Did you mean "keep"?
  superseded = "newest" # WARNING: Only for patches; The argument superseded
  rollback   = "none"   # WARNING: Only for patches
  kernels    = 1        # WARNING: Only for patches
  hooks { # WARNING: Only for patches; The block hooks
    before = ["true"]
  }
  probe "web" { # WARNING: Only for patches
    unit = "nginx.service"
  }
  preflight { # WARNING: Only for patches
    min_free = { "/" = "1GiB" }
  }
  emergency { # WARNING: Only for patches; carries = patch_baseline.NAME
    match = advisory.exploited
  }
  cluster {
    label = "cluster"
  }
  failure_budget { # ERROR: Incomplete failure_budget
  }
  ring "canary" {
    group           = group.canry # ERROR: Unknown group; Did you mean "canary"?
    deferral        = "soon" # ERROR: Unusable duration
    max_unavailable = "0%" # ERROR: Unusable share
    gate {
      converged = "most" # ERROR: Unusable share
      soak      = 5 # ERROR: Constant wanted
    }
    gate { # ERROR: Duplicate block; one gate
    }
  }
  ring "canary" { # ERROR: Duplicate declaration
    group = group.canary
    gate {
      converged = 101 # ERROR: Number out of range
    }
  }
  ring "none" { # ERROR: Missing group
  }
  ring "mixed" {
    group  = group.canary && true # ERROR: Unusable group
    window = ["sat"] # ERROR: Unusable window
  }
  ring "late" {
    group    = group.canary
    window   = [window.packages] # ERROR: Window for other changes; of class config
    reboot   = "always"          # WARNING: Only for patches
    deadline = "7d"              # WARNING: Only for patches
    grace    = "1d"              # WARNING: Only for patches
    gate {
      query = 5 # ERROR: Constant wanted
    }
  }
}

rollout "r" { # ERROR: Duplicate declaration
  carries = "releases"
  ring "all" {
    group = group.canary
  }
}

rollout "second" { # ERROR: Two rollouts carry releases; "r" at rollout.hcl:15
  carries = "releases"
  ring "all" {
    group = group.canary
  }
}

window "packages" {
  cron     = "0 22 * * *"
  duration = "2h"
  classes  = ["package"]
}
