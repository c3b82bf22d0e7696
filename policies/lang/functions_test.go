package lang

import (
	"slices"
	"strings"
	"testing"

	"plumb/policies/bundle"
)

// The expected text is what Terraform's console prints for the same expression, as JSON.
func TestFunctions(t *testing.T) {
	cases := map[string]string{
		`abs(-3)`: `3`, `ceil(1.2)`: `2`, `floor(1.8)`: `1`, `max(1, 3, 2)`: `3`, `min([3, 1]...)`: `1`, `parseint("ff", 16)`: `255`,
		`pow(2, 10)`: `1024`, `signum(-5)`: `-1`, `sum([1, 2.5])`: `3.5`,
		`chomp("a\n")`: `"a"`, `startswith("abc", "ab")`: `true`, `endswith("abc", "bc")`: `true`, `strcontains("abc", "x")`: `false`,
		`format("%03d-%s", 7, "x")`: `"007-x"`, `formatlist("%s!", ["a", "b"])`: `["a!","b!"]`, `indent(2, "a\nb")`: `"a\n  b"`,
		`join("-", ["a", "b"])`: `"a-b"`, `lower("AB")`: `"ab"`, `upper("ab")`: `"AB"`, `regex("[0-9]+", "ab12")`: `"12"`,
		`regexall("[a-z]", "1a2b")`: `["a","b"]`, `replace("a.b", ".", "-")`: `"a-b"`, `replace("a1b2", "/[0-9]/", "#")`: `"a#b#"`,
		`split(",", "a,b")`: `["a","b"]`, `strrev("abc")`: `"cba"`, `substr("hello", 1, 3)`: `"ell"`, `title("a b")`: `"A B"`,
		`trim("?a?", "?")`: `"a"`, `trimprefix("ab", "a")`: `"b"`, `trimsuffix("ab", "b")`: `"a"`, `trimspace(" a ")`: `"a"`,
		`chunklist([1, 2, 3], 2)`: `[[1,2],[3]]`, `coalesce(null, "a")`: `"a"`, `coalescelist([], ["a"])`: `["a"]`, `compact(["a", "", "b"])`: `["a","b"]`,
		`concat([1], [2])`: `[1,2]`, `contains(["a"], "a")`: `true`, `distinct([1, 1, 2])`: `[1,2]`, `element(["a", "b"], 3)`: `"b"`,
		`flatten([[1], [2, [3]]])`: `[1,2,3]`, `index(["a", "b"], "b")`: `1`, `keys({ b = 1, a = 2 })`: `["a","b"]`, `length("abc")`: `3`,
		`length({ a = 1 })`: `1`, `length([1, 2])`: `2`, `lookup({ a = 1 }, "b", 5)`: `5`, `matchkeys(["x", "y"], ["a", "b"], ["b"])`: `["y"]`,
		`merge({ a = 1 }, { a = 2, b = 3 })`: `{"a":2,"b":3}`, `one(["a"])`: `"a"`, `one([])`: `null`, `range(3)`: `[0,1,2]`, `reverse([1, 2])`: `[2,1]`,
		`setintersection(["a", "b"], ["b"])`: `["b"]`, `setproduct(["a"], ["b", "c"])`: `[["a","b"],["a","c"]]`, `setsubtract(["a", "b"], ["b"])`: `["a"]`,
		`setunion(["a"], ["b"])`: `["a","b"]`, `slice([1, 2, 3], 1, 2)`: `[2]`, `sort(["b", "a"])`: `["a","b"]`,
		`transpose({ a = ["x", "y"], b = ["x"] })`: `{"x":["a","b"],"y":["a"]}`, `values({ b = 1, a = 2 })`: `[2,1]`, `zipmap(["a"], [1])`: `{"a":1}`,
		`alltrue([true, false])`: `false`, `alltrue([])`: `true`, `anytrue([false, true])`: `true`, `anytrue([])`: `false`,
		`base64encode("hi")`: `"aGk="`, `base64decode("aGk=")`: `"hi"`, `csvdecode("a,b\n1,2")`: `[{"a":"1","b":"2"}]`, `jsondecode("[1]")`: `[1]`,
		`jsonencode({ a = [1] })`: `"{\"a\":[1]}"`, `urlencode("a b&c")`: `"a+b%26c"`, `basename("/a/b")`: `"b"`, `dirname("/a/b")`: `"/a"`,
		`md5("")`: `"d41d8cd98f00b204e9800998ecf8427e"`, `sha1("")`: `"da39a3ee5e6b4b0d3255bfef95601890afd80709"`,
		`sha256("")`: `"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`, `sha512("")`: `"cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"`,
		`cidrhost("10.12.112.0/20", 16)`: `"10.12.112.16"`, `cidrhost("10.12.112.0/20", -1)`: `"10.12.127.255"`, `cidrhost("fd00:fd12:3456:7890::/72", 34)`: `"fd00:fd12:3456:7890::22"`,
		`cidrnetmask("172.16.0.0/12")`: `"255.240.0.0"`, `cidrsubnet("172.16.0.0/12", 4, 2)`: `"172.18.0.0/16"`, `cidrsubnet("fd00:fd12:3456:7890::/56", 16, 162)`: `"fd00:fd12:3456:7800:a200::/72"`,
		`cidrsubnets("10.1.0.0/16", 4, 4, 8, 4)`: `["10.1.0.0/20","10.1.16.0/20","10.1.32.0/24","10.1.48.0/20"]`,
		`cidrcontains("10.0.0.0/8", "10.1.2.3")`: `true`, `cidrcontains("10.0.0.0/8", "10.1.0.0/16")`: `true`, `cidrcontains("10.0.0.0/8", "0.0.0.0/0")`: `false`,
		`tobool("true")`: `true`, `tonumber("5")`: `5`, `tostring(5)`: `"5"`, `tolist(["a", 1])`: `["a","1"]`, `toset(["b", "a", "b"])`: `["a","b"]`, `tomap({ a = 1 })`: `{"a":1}`,
		`try({}.a, "none")`: `"none"`, `can({}.a)`: `false`, `type([1])`: `"tuple([number])"`, `issensitive(sensitive(1))`: `true`, `issensitive(nonsensitive(sensitive(1)))`: `false`,
		`version_matches("1.4.2", "~> 1.2")`: `true`, `version_matches("2.0", "~> 1.2")`: `false`,
		`file("data/a.txt")`: `"text of a\n"`, `file("${path.root}/data/a.txt")`: `"text of a\n"`, `filebase64("data/a.txt")`: `"dGV4dCBvZiBhCg=="`,
		`fileexists("data/a.txt")`: `true`, `fileexists("data/b")`: `false`, `fileset("data", "*.txt")`: `["a.txt"]`, `fileset("data", "**/*.txt")`: `["a.txt","deep/b.txt"]`,
		`fileset(".", "*.hcl")`: `["site.hcl"]`, `templatefile("data/t.tmpl", { who = "you" })`: `"Hello you"`,
	}
	missing := newScope(newConfig(nil, nil), Input{}, true).funcs
	for e, want := range cases {
		delete(missing, e[:strings.Index(e, "(")])
		tree := bundle.Tree{"data/a.txt": []byte("text of a\n"), "data/deep/b.txt": nil, "data/t.tmpl": []byte("Hello ${who}"),
			"site.hcl": []byte("policy \"p\" {\n  resource \"file\" \"f\" {\n    path = \"/f\"\n    content = jsonencode(nonsensitive(" + e + "))\n  }\n}\n")}
		c, problems := Load(tree)
		out := c.Compile(debian())
		if len(problems)+len(out.Problems) > 0 {
			t.Errorf("%s: problems = %v %v", e, problems, out.Problems)
			continue
		}
		if got := content(t, out, "f"); got != want {
			t.Errorf("%s = %s, want %s", e, got, want)
		}
	}
	delete(missing, "nonsensitive") // and sensitive stands within the others
	delete(missing, "sensitive")
	if names := sortedKeys(missing); len(names) > 0 {
		t.Errorf("functions without a case: %v", names)
	}
}

// Nothing in the library knows the time, the network, the environment or chance.
func TestImpureFunctionsAreAbsent(t *testing.T) {
	funcs := newScope(newConfig(nil, nil), Input{}, true).funcs
	for _, name := range []string{"timestamp", "plantimestamp", "uuid", "uuidv5", "bcrypt", "pathexpand", "abspath", "env", "getenv"} {
		if _, ok := funcs[name]; ok {
			t.Errorf("the library has %s", name)
		}
	}
}

func TestFunctionErrors(t *testing.T) {
	cases := map[string]string{
		`cidrhost("10.0.0.0/30", 9)`: "does not have that many hosts", `cidrsubnet("10.0.0.0/30", 9, 0)`: "does not have that many bits",
		`cidrsubnet("10.0.0.0/30", 1, 2)`: "does not have that many subnets", `cidrsubnets("10.0.0.0/30", 1, 1, 1)`: "too small",
		`cidrnetmask("fe80::/64")`: "only IPv4", `cidrcontains("x", "10.0.0.1")`: "not a network", `base64decode("!")`: "not base64",
		`one([1, 2])`: "one element or none", `sum(["x"])`: "must be a number", `version_matches("x", "1")`: "not a version",
		`version_matches("1", "around 1")`: "not a constraint", `index(["a"], "b")`: "does not have", `file("/etc/passwd")`: "outside of the policy repository",
		`templatefile("t.tmpl", {})`: "templatefile", `fileset(".", "a/**/b")`: "not a usable pattern", `matchkeys([1], [], [])`: "same length",
	}
	for e, want := range cases {
		tree := site("locals {\n  x = " + e + "\n}\n")
		tree["t.tmpl"] = []byte(`${templatefile("t.tmpl", {})}`)
		problems := problemsOf(tree, debian())
		if len(problems) != 1 || !strings.Contains(problems[0].Detail, want) {
			t.Errorf("%s: problems = %v, want one with %q", e, problems, want)
		}
	}
	if problems := problemsOf(site("locals {\n  x = timestamp()\n}\n"), debian()); !slices.Contains(summaries(problems), "Call to unknown function") {
		t.Errorf("timestamp(): problems = %v", problems)
	}
}
