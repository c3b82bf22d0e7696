package lang

import (
	"os"
	"testing"

	"plumb/inventory"
	"plumb/policies/bundle"
)

func TestSmoke(t *testing.T) {
	tree := bundle.Tree{"ssh/site.hcl": []byte(`
plumb { required_version = "~> 1.0" }
variable "groups" {
  type = list(string)
  default = ["ops"]
}
variable "pw" {
  type = string
  sensitive = true
  default = "hunter2"
}
locals { x = [for g in var.groups : upper(g)] }
group "linux" { match = fact.os.kernel == "linux" }
group "web" {
  match = group.linux && host.labels.role == "web"
  vars = { groups = ["ops","web"] }
}
policy "ssh" {
  title = "t"
  applies_to = group.web
  when = contains(keys(fact.packages), "openssh-server")
  resource "file" "dropin" {
    path = "/etc/ssh/x"
    mode = "0600"
    content = templatefile("${path.module}/t.tmpl", { groups = local.x, pw = var.pw })
    notify = [service.ssh]
  }
  resource "directory" "d" {
    for_each = toset(["a","b"])
    path = "/srv/${each.key}"
    controls = ["cis:1.2"]
  }
  resource "service" "ssh" {
    running = true
    name = "ssh"
    depends_on = [directory.d["a"]]
  }
}
`), "ssh/t.tmpl": []byte("Allow %{ for g in groups }${g} %{ endfor }${pw}\n")}
	c, problems := Load(tree)
	Write(os.Stderr, problems, false)
	out := c.Compile(Input{Host: inventory.Host{Name: "h1", Labels: map[string]string{"role": "web"}}, Facts: map[string]any{
		"os": map[string]any{"kernel": "linux"}, "packages": map[string]any{"openssh-server": "1"}}})
	Write(os.Stderr, out.Problems, false)
	raw, d, err := Digest(out.Catalog)
	t.Logf("%s\n%s %v %v %v", raw, d, err, out.Reads, out.Groups)
}
