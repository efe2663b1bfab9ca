package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/bench"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/client"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp/suggest"
)

// benchFlags are the flags of bench.
type benchFlags struct {
	serverFlags
	directoryFlags
	mix              string
	seed             uint64
	concurrency      int
	rate             float64
	duration, warmUp time.Duration
	json             bool
}

const (
	maxBenchConcurrency = 4096
	maxBenchRate        = 1_000_000
	maxBenchDuration    = 24 * time.Hour
	preparedRequests    = 8192 // then the first comes again
)

func newBenchCommand(p process) *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench --directory FILE|URL [flags]",
		Short: "Measure how fast a running server answers",
		Long: `Ask a running server plausible questions about the users of a directory, and print how many it answers and how long the answers
take. --directory is what the server has its facts from, or a file with the same users ("wardkeeper directory generate" makes one).
All of it is read before anything is asked. Questions are those of the built-in policy. They change nothing, but a log of decisions
records them.

Without --rate, each of --concurrency requests begins when another is answered (a closed loop): this shows how much the server can.
With --rate, requests begin when they are due, whether or not others are answered (an open loop), and their latency counts from then:
this shows how long people wait. Requests that are due while all of --concurrency are busy count from then too; those that never
begin are counted.

A batch has 20 questions; a search lists 20 users, or what may be done with one. The same --seed gives the same requests in the
same order. An interrupt prints what was measured until then.

` + wholeHelp + `

` + serverHelp + `

Exit status: 0 measured; 1 measured, and not all requests were answered; 2 not measured.`,
		Example: `  wardkeeper bench --directory directory.yaml
  wardkeeper bench --directory directory.yaml --rate 500 --duration 1m --server unix:/run/wardkeeper/pdp.sock
  wardkeeper bench --directory directory.yaml --mix single=100 --concurrency 32 --json`,
		Args: arguments(),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.directoryFlags.register(flags, "`FILE` or URL with the users and locations to ask about")
	flags.IntVar(&f.concurrency, "concurrency", 0, "`NUMBER` of requests at a time (default 8, or 64 with --rate)")
	flags.Float64Var(&f.rate, "rate", 0, "`NUMBER` of requests a second, whether or not others are answered")
	flags.DurationVar(&f.duration, "duration", 10*time.Second, "how long to measure")
	flags.DurationVar(&f.warmUp, "warm-up", 2*time.Second, "how long to ask before that")
	flags.StringVar(&f.mix, "mix", "single=90,batch=5,search=5", "`KIND=PERCENT` of each kind of request")
	flags.Uint64Var(&f.seed, "seed", 1, "`NUMBER` that determines the requests")
	flags.BoolVar(&f.json, "json", false, "print the result as one line of JSON")
	f.serverFlags.register(flags)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), p) }
	return cmd
}

func (f *benchFlags) run(ctx context.Context, p process) error {
	mix, err := f.check()
	if err != nil {
		return err
	}
	server, err := f.client(p)
	if err != nil {
		return err
	}
	if t, ok := server.Transport.(*http.Transport); ok {
		t.MaxIdleConnsPerHost = f.concurrency
	}
	directory, err := f.read(ctx, p, nil)
	if err != nil {
		return err
	}
	directory.note(p)
	requests, err := bench.NewRequests(directory.Directory, preparedRequests, f.seed, mix)
	if err != nil {
		return err
	}
	if err := f.tryOne(ctx, server, requests[0]); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if p.signals != nil {
		go func(signals <-chan os.Signal) {
			<-signals
			cancel()
		}(p.signals())
	}
	progress := terminal.NewProgress(p.stderr)
	result := bench.Run(ctx, bench.Config{
		Server: server, Requests: requests, Concurrency: f.concurrency, Rate: f.rate, WarmUp: f.warmUp, Duration: f.duration, Timeout: f.timeout,
		Progress: func(answered int, left time.Duration) {
			if left > f.duration {
				progress.Say("warming up")
				return
			}
			progress.Say(fmt.Sprintf("%s requests answered, %s left", terminal.Number(int64(answered)), left.Round(time.Second)))
		},
	})
	progress.Clear()
	return f.print(p.stdout, result)
}

// check checks the flags and returns the mix. It sets the concurrency if it is not given.
func (f *benchFlags) check() (map[string]int, error) {
	if f.concurrency == 0 {
		if f.concurrency = 8; f.rate > 0 {
			f.concurrency = 64
		}
	}
	switch {
	case f.directory == "":
		return nil, errors.New(`--directory is missing: name the server's directory, or a file with its users ("wardkeeper directory generate" makes one)`)
	case f.concurrency < 1 || f.concurrency > maxBenchConcurrency:
		return nil, fmt.Errorf("--concurrency is %d: use a number from 1 to %d", f.concurrency, maxBenchConcurrency)
	case !(f.rate >= 0 && f.rate <= maxBenchRate):
		return nil, fmt.Errorf("--rate is %v: use up to %d requests a second", f.rate, maxBenchRate)
	case f.duration <= 0 || f.duration > maxBenchDuration || f.warmUp < 0 || f.warmUp > maxBenchDuration:
		return nil, fmt.Errorf("--duration and --warm-up must be at most %s, and --duration more than 0", maxBenchDuration)
	case f.timeout <= 0:
		return nil, errors.New("--timeout must be more than 0")
	}
	return parseMix(f.mix)
}

// parseMix parses the shares of the kinds of requests.
func parseMix(text string) (map[string]int, error) {
	mix, sum := map[string]int{}, 0
	for part := range strings.SplitSeq(text, ",") {
		kind, percent, _ := strings.Cut(part, "=")
		n, err := strconv.Atoi(percent)
		if !slices.Contains(bench.Kinds(), kind) {
			return nil, fmt.Errorf("--mix is %q: there is no kind %q: %suse %s", text, kind, suggest.DidYouMean("", kind, bench.Kinds()), strings.Join(bench.Kinds(), ", "))
		}
		if _, twice := mix[kind]; twice || err != nil || n < 0 {
			return nil, fmt.Errorf("--mix is %q: write each kind once, with its percentage, such as single=90,batch=5,search=5", text)
		}
		mix[kind] = n
		sum += n
	}
	if sum != 100 {
		return nil, fmt.Errorf("--mix is %q: the shares must be of a hundred, and are %d together", text, sum)
	}
	return mix, nil
}

// tryOne sends one request, so that a wrong address or missing credentials are not found by thousands.
func (f *benchFlags) tryOne(ctx context.Context, server client.Client, q bench.Request) error {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	answer, err := server.Post(ctx, q.Path, q.Body)
	switch {
	case err != nil:
		return err
	case answer.Status != http.StatusOK:
		return answer.Err()
	}
	return nil
}

func (f *benchFlags) print(out io.Writer, r *bench.Result) error {
	text := r.Text()
	if f.json {
		var err error
		if text, err = jsonLine(r); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(out, text); err != nil {
		return err
	}
	if !r.Complete() {
		return &exitError{status: statusNo}
	}
	return nil
}
