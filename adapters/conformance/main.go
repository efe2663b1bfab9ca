package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Exit statuses.
const (
	statusConforms = 0
	statusBreaks   = 1 // a duty is broken
	statusFailed   = 2 // the suite could not run
)

const usage = `Usage: conformance [flags] -- COMMAND [ARGUMENT...]
       conformance -mutants FILE [flags] -- COMMAND [ARGUMENT...]

Starts COMMAND, the sample application of an adapter, and checks that the
adapter meets adapters/CONTRACT.md. The exit status is 0 if it does, 1 if it
breaks a duty and 2 if that could not be found out.

With -mutants, COMMAND is started in copies of the folder of -in. In each, a
change of FILE breaks a duty, and the suite has to name it. The exit status is
0 if it does every time, 1 if not, and 2 if that could not be found out.

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	only := flags.String("only", "", "check these duties alone, such as PEP-1,PEP-8")
	without := flags.String("without", "", "check an adapter that cannot do this: "+strings.Join(capabilities[:], ", "))
	goldenFolder := flags.String("golden", "", "also answer with the golden decisions in this `FOLDER`, such as testdata/decisions")
	hostileToo := flags.Bool("hostile", false, "also send the hostile requests of adapters/hostile")
	verbose := flags.Bool("v", false, "also print what passes, and the application's log")
	mutants := flags.String("mutants", "", "check that the suite finds the changes to the adapter that this `FILE` lists")
	folder := flags.String("in", ".", "with -mutants, the `FOLDER` of the adapter, which is copied for each change")
	build := flags.String("build", "", "with -mutants, a shell `COMMAND` that builds the copies, whose folders are its arguments")
	listOnly := flags.Bool("list", false, "print the cases and exit")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return statusConforms
		}
		return statusFailed
	}
	s, err := newSuite(list(*only), list(*without), *goldenFolder)
	if err != nil {
		fmt.Fprintln(stderr, "conformance:", err)
		return statusFailed
	}
	if *listOnly {
		for _, c := range s.cases {
			fmt.Fprintf(stdout, "%-6s  %s\n", c.Duty, c.Name)
		}
		return statusConforms
	}
	if flags.NArg() == 0 {
		flags.Usage()
		return statusFailed
	}
	if *mutants != "" {
		m := mutation{folder: *folder, build: *build, command: flags.Args(), without: list(*without), verbose: *verbose, out: stdout}
		return m.status(ctx, *mutants, stderr)
	}
	s.command, s.hostile, s.verbose, s.out = flags.Args(), *hostileToo, *verbose, stdout
	broken, err := s.run(ctx)
	if err != nil {
		fmt.Fprintln(stderr, "conformance:", err)
		return statusFailed
	}
	if len(broken) > 0 {
		fmt.Fprintf(stdout, "%d passed, %d failed\nbroken: %s\n", s.passed, s.failed, strings.Join(broken, ", "))
		return statusBreaks
	}
	fmt.Fprintf(stdout, "%d passed, 0 failed\n", s.passed)
	return statusConforms
}

// list splits the value of a flag.
func list(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
}
