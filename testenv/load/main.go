// Load plays many hosts against a real Plumb server and measures it, in the same run beside a bare
// net/http server with the same TLS.
//
// Its hosts have real keys and certificates, which they get by enrolling, and speak the protocol
// of agents. They verify one lease in a hundred, so that the two cores are the server's.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// settings are what the command line says.
type settings struct {
	bin     string
	what    string
	db      string
	hosts   int
	clients int
	length  time.Duration
	rounds  int
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == bareArgument {
		exit(serveBare(os.Args[2]))
	}
	var s settings
	flag.StringVar(&s.bin, "bin", "bin", "folder with plumb")
	flag.StringVar(&s.what, "what", "kept,handshakes,changed,overload", "what to measure: kept, handshakes, changed, overload, herd")
	flag.StringVar(&s.db, "db", "sqlite,postgres", "databases for changed results")
	flag.IntVar(&s.hosts, "hosts", 100_000, "hosts of the herd")
	flag.IntVar(&s.clients, "clients", 64, "clients that call at once")
	flag.DurationVar(&s.length, "for", 5*time.Second, "length of one measurement; of the herd, the interval in which all return")
	flag.IntVar(&s.rounds, "rounds", 3, "measurements of each kind, taken in turn; the median counts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := s.run(ctx)
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "load: error: %v\n", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run measures all that was asked for and prints one table.
func (s settings) run(ctx context.Context) error {
	var err error
	if s.bin, err = filepath.Abs(s.bin); err != nil {
		return err
	}
	t := &table{}
	defer t.print(os.Stdout)
	for _, what := range strings.Split(s.what, ",") {
		measure, known := map[string]func(context.Context, *table) error{
			"kept": s.kept, "handshakes": s.handshakes, "changed": s.changed, "overload": s.overload, "herd": s.herd,
		}[what]
		if !known {
			return fmt.Errorf("there is nothing called %q to measure", what)
		}
		if err := measure(ctx, t); err != nil {
			return fmt.Errorf("cannot measure %s: %w", what, err)
		}
	}
	return nil
}
