package release

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"plumb/agent/protocol"
	"plumb/policies"
	"plumb/policies/lang"
	"plumb/server/repo"
	"plumb/server/store"
)

// Hook judges a push on behalf of git. An answer that refuses says why and what to do; an
// error of the server refuses, too.
func (d *Desk) Hook(ctx context.Context, ask repo.HookRequest) repo.HookAnswer {
	switch ask.Kind {
	case repo.PreReceive:
		return d.before(ctx, ask)
	case repo.PostReceive:
		return d.afterPush(ctx, ask)
	}
	return no(fmt.Errorf("%.40q is not a hook of this server", ask.Kind))
}

// no turns an error into the lines that the author sees.
func no(err error) repo.HookAnswer {
	text := []string{"plumb: error: " + plain(err.Error())}
	if r := (*refusal)(nil); errors.As(err, &r) && r.Hint != "" {
		text = append(text, "plumb: hint: "+r.Hint)
	}
	return repo.HookAnswer{Refused: true, Lines: text}
}

// push is what a push wants to do, sorted out.
type push struct {
	view repo.View
	main repo.Update // zero when main does not move
	tag  repo.Update // zero when no release is pushed
}

func (d *Desk) before(ctx context.Context, ask repo.HookRequest) repo.HookAnswer {
	now, last, err := d.state(ctx)
	if err != nil {
		return no(err)
	}
	p := push{}
	if p.view, err = d.Repo.View(ask.Quarantine); err != nil {
		return no(err)
	}
	for _, u := range ask.Updates {
		if err := p.sort(u); err != nil {
			return no(err)
		}
	}
	v, err := d.judgeMain(ctx, p, now)
	if err != nil {
		return no(err)
	}
	if v.bad() {
		return repo.HookAnswer{Refused: true, Lines: refusedLines(v)}
	}
	if err := d.judgeTag(ctx, p, last, now); err != nil {
		return no(err)
	}
	return repo.HookAnswer{Lines: problemLines(v.problems)}
}

// sort says where an update belongs, or why nothing of the kind is taken.
func (p *push) sort(u repo.Update) error {
	if u.New == repo.Zero {
		return refuse("leave it where it is", "%s cannot be deleted: nothing is deleted here", u.Ref)
	}
	if u.Ref == repo.Main {
		p.main = u
		return nil
	}
	if strings.HasPrefix(u.Ref, repo.Main+"/") || u.Ref == "refs/tags/release" {
		return refuse("choose another name", "%s would stand in the way of this server's own names", u.Ref)
	}
	if strings.HasPrefix(u.Ref, "refs/tags/release/") {
		return p.sortTag(u)
	}
	if !strings.HasPrefix(u.Ref, "refs/heads/") && !strings.HasPrefix(u.Ref, "refs/tags/") {
		return refuse("push branches and tags only", "%s is neither a branch nor a tag", u.Ref)
	}
	return nil
}

func (p *push) sortTag(u repo.Update) error {
	if _, ok := repo.ReleaseNumber(u.Ref); !ok {
		return refuse("name it release/N, as `plumb release create` does", "%s is not the name of a release", u.Ref)
	}
	if u.Old != repo.Zero {
		return refuse("make a new release with `plumb release create`", "%s is a release; it is never moved", u.Ref)
	}
	if p.tag.Ref != "" {
		return refuse("push one release tag at a time", "the push has more than one release")
	}
	p.tag = u
	return nil
}

func (d *Desk) judgeMain(ctx context.Context, p push, now signing) (verdict, error) {
	if p.main.Ref == "" {
		return verdict{}, nil
	}
	if d.Upstream.URL != "" {
		return verdict{}, refuse("push to the upstream instead", "main follows %s", d.Upstream.URL)
	}
	kind, err := p.view.Type(ctx, p.main.New)
	if err != nil {
		return verdict{}, err
	}
	if kind != "commit" {
		return verdict{}, refuse("push a branch to main", "main can only be a commit, not a %s", kind)
	}
	if p.main.Old != repo.Zero {
		forward, err := p.view.IsAncestor(ctx, p.main.Old, p.main.New)
		if err != nil {
			return verdict{}, err
		}
		if !forward {
			return verdict{}, refuse("fetch, merge or rebase, and push again", "main only moves forward, and this push would take commits away")
		}
	}
	return d.inspect(ctx, p.view, p.main.New, now)
}

// judgeTag judges a release that an author signed. Main counts as it will be after the push.
func (d *Desk) judgeTag(ctx context.Context, p push, last store.Release, now signing) error {
	if p.tag.Ref == "" {
		return nil
	}
	if now.mode == Trial {
		return refuse(d.signHint(now), "this server signs the releases by itself, for it is in trial mode")
	}
	_, r, err := d.open(ctx, p.view, p.tag.New, last, now)
	if err != nil {
		return err
	}
	if protocol.TagName(r.Number) != strings.TrimPrefix(p.tag.Ref, "refs/tags/") {
		return refuse("push it under its own name", "%s holds release %d", p.tag.Ref, r.Number)
	}
	if err := timely(r, now.signers, d.Now()); err != nil {
		return err
	}
	_, err = d.check(ctx, p.view, r, p.main.New, now)
	return err
}

// check holds a verified release against its commit: on main, good, and packed as promised.
func (d *Desk) check(ctx context.Context, view repo.View, r protocol.Release, main string, now signing) (verdict, error) {
	if main == "" {
		head, err := d.Repo.Head()
		if err != nil {
			return verdict{}, err
		}
		main = head.Hash
	}
	on, err := view.IsAncestor(ctx, r.Commit, main)
	if err != nil || !on {
		return verdict{}, refuse("push the commit to main first", "the commit %.12s of release %d is not on main", r.Commit, r.Number)
	}
	v, err := d.inspect(ctx, view, r.Commit, now)
	if err != nil {
		return v, err
	}
	if v.bad() {
		return v, &badCommit{v}
	}
	return v, matches(r, v)
}

// badCommit is a release whose commit has mistakes.
type badCommit struct{ verdict verdict }

func (b *badCommit) Error() string {
	return fmt.Sprintf("the commit %.12s has mistakes: %s", b.verdict.commit, shortList(b.verdict.problems))
}

// makeTime bounds the making of releases after a push.
const makeTime = 15 * time.Minute

// afterPush makes what the push calls for. Git does not heed a refusal here any more, so
// what fails is kept as a problem and tried again at the next start.
func (d *Desk) afterPush(ctx context.Context, ask repo.HookRequest) repo.HookAnswer {
	// The push counts already, so its release is made even when the author hangs up now.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), makeTime)
	defer cancel()
	moved := false
	for _, u := range ask.Updates {
		_, isRelease := repo.ReleaseNumber(u.Ref)
		moved = moved || u.Ref == repo.Main || isRelease
		act := store.Act{At: d.Now(), Who: ask.Author, What: "push", Detail: fmt.Sprintf("%s %.12s..%.12s", plain(u.Ref), u.Old, u.New)}
		if err := d.Store.AddAct(ctx, act); err != nil {
			d.log().Error("cannot log a push", "author", ask.Author, "ref", u.Ref, "error", err)
		}
	}
	if !moved {
		return repo.HookAnswer{}
	}
	made, err := d.make(ctx, true)
	if err != nil {
		d.log().Error("cannot make a release", "error", err)
		return no(fmt.Errorf("the push is stored, but no release was made of it: %w", err))
	}
	if len(made) == 0 {
		return repo.HookAnswer{Lines: []string{"plumb: main is stored; it changes no host until it is released: `plumb release create`"}}
	}
	var text []string
	for _, m := range made {
		text = append(text, m.line())
	}
	return repo.HookAnswer{Lines: text}
}

func refusedLines(v verdict) []string {
	return append(problemLines(v.problems), fmt.Sprintf("plumb: error: the commit %.12s is not taken: %s", v.commit, count(len(v.problems), "problem")),
		"plumb: hint: mend it, then `git commit --amend` and push again; `plumb validate` finds the same before you push")
}

// problemLines shows mistakes as people know them from the command line.
func problemLines(problems []policies.Problem) []string {
	var out strings.Builder
	lang.Write(&out, problems[:min(len(problems), maxProblems)], false)
	if out.Len() == 0 {
		return nil
	}
	text := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	if more := len(problems) - maxProblems; more > 0 {
		text = append(text, fmt.Sprintf("… and %d more", more))
	}
	return append(text, "")
}

// shortList shows mistakes in a line each, for the status.
func shortList(problems []policies.Problem) string {
	var text []string
	for _, p := range problems[:min(len(problems), 5)] {
		text = append(text, plain(p.String()))
	}
	if more := len(problems) - len(text); more > 0 {
		text = append(text, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(text, "; ")
}

// plain keeps foreign text from steering the terminal.
func plain(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, text)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "y") {
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
