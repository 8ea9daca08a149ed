// Command cairn is all of Cairn in one program: flags and wiring only.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/cairn-itdr/cairn/internal/app"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// cli is the command line.
type cli struct {
	DataDir       string `placeholder:"DIR" env:"CAIRN_DATA_DIR" help:"Folder of the embedded database and loaded address lists (default: ${data_dir})."`
	DatabaseURL   string `name:"database-url" placeholder:"URL" env:"CAIRN_DATABASE_URL" help:"PostgreSQL database (postgres://user@host/name); empty for the embedded one."`
	MasterKeyFile string `placeholder:"FILE" env:"CAIRN_MASTER_KEY_FILE" help:"Key that seals secrets such as PSA credentials, outside the data folder (default: ${master_key_file}; cairn admin init makes it)."`
	LogFormat     string `enum:"text,json" default:"text" env:"CAIRN_LOG_FORMAT" help:"How to log to standard error: text or json."`
	LogLevel      string `enum:"debug,info,warn,error" default:"info" env:"CAIRN_LOG_LEVEL" help:"What to log: debug, info, warn or error."`

	Serve   serveCommand   `cmd:"" help:"Serve the API and run the jobs."`
	Demo    demoCommand    `cmd:"" help:"Serve a working system over simulated tenants; nothing to configure."`
	Import  importCommand  `cmd:"" help:"Import exported Microsoft 365 logs into a tenant."`
	Intel   intelCommand   `cmd:"" help:"Address lists and databases."`
	Migrate migrateCommand `cmd:"" help:"Bring the database's schema up to date and stop."`
	Admin   adminCommand   `cmd:"" help:"What only the machine's owner may do."`
	Audit   auditCommand   `cmd:"" help:"The audit log."`
	Version versionCommand `cmd:"" help:"Print the version and the licence notices of what ships."`
}

// system is what commands get of the world outside.
type system struct {
	context.Context //nolint:containedctx // it lives as long as one command

	stdin          io.Reader
	stdout, stderr io.Writer // printable
	terminal       io.Writer // standard error as it is, for what draws on it
	logger         *slog.Logger
}

// warnf tells a person something on standard error.
func (s *system) warnf(format string, args ...any) { warnf(s.stderr, format, args...) }

// warnf indents all lines but the first: a file may have a line break in its
// name, and what follows must not look like something else we say.
func warnf(w io.Writer, format string, args ...any) {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n  ")
	_, _ = io.WriteString(w, text+"\n") // there is nobody left to tell where it fails
}

// now is the one place where Cairn asks the machine's clock.
func now() time.Time { return time.Now().UTC() }

func run(args []string, stdin io.Reader, stdout, terminal io.Writer) int {
	printed, stderr := printable{stdout}, printable{terminal}
	var c cli
	exit := -1
	parser, err := kong.New(&c, kong.Name("cairn"),
		kong.Description("Identity threat detection and response for Microsoft 365, for managed service providers."),
		kong.Vars{"data_dir": defaultDataDir(), "kinds": kindNames(), "master_key_file": app.DefaultMasterKeyFile()},
		kong.Writers(printed, stderr), kong.Exit(func(code int) { exit = code }),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		warnf(stderr, "cairn: %v", err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 { // --help has been answered
		return exit
	}
	if err != nil {
		warnf(stderr, "cairn: %v", err)
		warnf(stderr, "Try cairn --help.")
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	sys := &system{Context: ctx, stdin: stdin, stdout: printed, stderr: stderr, terminal: terminal, logger: c.newLogger(stderr)}
	if err := parsed.Run(&c, sys); err != nil {
		if errors.Is(err, errReported) {
			return exitFailed
		}
		if refused := refusal.From(err); refused != nil && refused.Code == refusal.Invalid {
			sys.warnf("cairn: %s", refused.Message)
			return exitUsage
		}
		sys.warnf("cairn: %v", err)
		return exitFailed
	}
	return exitDone
}

// errReported ends a command whose output has said already what failed.
var errReported = errors.New("failed")

func (c *cli) newLogger(w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// dataDir is the folder in use.
func (c *cli) dataDir() string {
	if c.DataDir != "" {
		return c.DataDir
	}
	return defaultDataDir()
}

// defaultDataDir follows the XDG base directory specification.
func defaultDataDir() string {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "cairn")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "cairn-data"
	}
	return filepath.Join(home, ".local", "share", "cairn")
}

func (c *cli) config(sys *system) app.Config {
	return app.Config{
		DataDir: c.dataDir(), DatabaseURL: c.DatabaseURL, MasterKeyFile: c.masterKeyFile(), Logger: sys.logger, Now: now,
	}
}

// masterKeyFile is the file of the key that seals secrets.
func (c *cli) masterKeyFile() string {
	if c.MasterKeyFile != "" {
		return c.MasterKeyFile
	}
	return app.DefaultMasterKeyFile()
}

// open opens the installation for a command and closes it after.
func (c *cli) open(sys *system, do func(a *app.App) error) error {
	return openWith(sys, c.config(sys), do)
}

func openWith(sys *system, cfg app.Config, do func(a *app.App) error) (err error) {
	a, err := app.Open(sys, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	return do(a)
}

// serving are the flags of the commands that serve.
type serving struct {
	Listen         string   `default:"127.0.0.1:8550" env:"CAIRN_LISTEN" help:"Address to listen on (port 0: any free one)."`
	PublicURL      *url.URL `name:"public-url" placeholder:"URL" env:"CAIRN_PUBLIC_URL" help:"Where users reach this server, if not where it listens: behind a proxy."`
	TrustedProxies []string `placeholder:"CIDR" env:"CAIRN_TRUSTED_PROXIES" help:"Proxies whose X-Forwarded-For is believed."`
	Explorer       bool     `default:"true" negatable:"" env:"CAIRN_EXPLORER" help:"Serve the API explorer and answer introspection."`

	RequestsPerSecond int      `default:"50" placeholder:"N" env:"CAIRN_REQUESTS_PER_SECOND" help:"How often one API key may ask, in the long run; ten seconds' worth may come at once. 0 is without limit."`
	SMTPURL           *url.URL `name:"smtp-url" placeholder:"URL" env:"CAIRN_SMTP_URL" help:"Mail server for sign-in links and invitations, such as smtp://user:password@mail.example.net:587 or smtps://mail.example.net."`
	MailFrom          string   `placeholder:"ADDRESS" env:"CAIRN_MAIL_FROM" help:"Sender of these mails, such as cairn@example.net."`

	MicrosoftClientID       string `name:"microsoft-client-id" placeholder:"ID" env:"CAIRN_MICROSOFT_CLIENT_ID" help:"Application that watches tenants, registered with Microsoft (docs/microsoft-365.md)."`
	MicrosoftCredential     string `placeholder:"FILE" env:"CAIRN_MICROSOFT_CREDENTIAL" help:"File with its certificate and key (PEM), or its client secret."`
	MicrosoftResponseID     string `name:"microsoft-response-client-id" placeholder:"ID" env:"CAIRN_MICROSOFT_RESPONSE_CLIENT_ID" help:"Application that acts in tenants; left out, Cairn only watches."`
	MicrosoftResponseSecret string `name:"microsoft-response-credential" placeholder:"FILE" env:"CAIRN_MICROSOFT_RESPONSE_CREDENTIAL" help:"File with its certificate and key, or its client secret."`
	MicrosoftPublisher      string `placeholder:"ID" env:"CAIRN_MICROSOFT_PUBLISHER" help:"Directory the applications are registered in: Microsoft counts calls for it."`

	OutboundAllow []string `placeholder:"HOST" env:"CAIRN_OUTBOUND_ALLOW" help:"Hosts, addresses and networks inside that addresses entered by people may lead to, such as an on-premise PSA: psa.example.lan, 10.1.0.0/16. All others inside are refused."`

	Operations int `default:"16" placeholder:"N" env:"CAIRN_OPERATIONS" help:"How many operations the API carries out at once."`
}

func (s *serving) apply(cfg *app.Config) error {
	cfg.PublicURL, cfg.Explorer = s.PublicURL, s.Explorer
	cfg.RequestsPerSecond, cfg.Operations = s.RequestsPerSecond, s.Operations
	cfg.SMTP, cfg.MailFrom = s.SMTPURL, s.MailFrom
	cfg.OutboundAllow = s.OutboundAllow
	cfg.Microsoft = app.Microsoft{
		ClientID: s.MicrosoftClientID, CredentialFile: s.MicrosoftCredential, Publisher: s.MicrosoftPublisher,
		ResponseClientID: s.MicrosoftResponseID, ResponseCredentialFile: s.MicrosoftResponseSecret,
	}
	if s.SMTPURL != nil && s.MailFrom == "" {
		return refusal.New(refusal.Invalid, nil, "--smtp-url needs --mail-from: the address mails come from")
	}
	if s.RequestsPerSecond < 0 || s.Operations < 1 {
		return refusal.New(refusal.Invalid, nil, "--requests-per-second must be 0 or more, --operations 1 or more")
	}
	if u := s.PublicURL; u != nil && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		return refusal.New(refusal.Invalid, nil, "--public-url must be a whole http or https URL, such as https://cairn.example.net")
	}
	for _, p := range s.TrustedProxies {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			addr, err := netip.ParseAddr(p)
			if err != nil {
				return refusal.New(refusal.Invalid, nil, "--trusted-proxies: %q is neither a network (10.0.0.0/8) nor an address", p)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		cfg.TrustedProxies = append(cfg.TrustedProxies, prefix)
	}
	return nil
}
