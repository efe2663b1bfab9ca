package main

import "github.com/spf13/cobra"

func newLogCommand(p process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Show, export, replay and verify logs of decisions",
		Long: `Work with the log of decisions that a server writes, a folder of segments. They are lines of JSON, so that other tools can read
them too, such as "zcat -f DIR/* | jq .record".`,
		Example: `  wardkeeper log show /var/log/wardkeeper/decisions --subject alice --since 24h
  wardkeeper log export /var/log/wardkeeper/decisions --format fhir --since 24h >audit.ndjson
  wardkeeper log replay /var/log/wardkeeper/decisions --bundle next.tar.gz
  wardkeeper log key log-private.pem >log-public.pem
  wardkeeper log verify /var/log/wardkeeper/decisions --key log-public.pem`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newLogShowCommand(p), newLogExportCommand(p), newLogReplayCommand(p), newLogVerifyCommand(p), newLogKeyCommand(p))
	return cmd
}
