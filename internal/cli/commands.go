package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/render"
)

// program is the program's name in messages and help.
const program = "dragonfly-generator"

// command runs the command in args and returns the exit code. A problem with the arguments is reported in one
// line, with a hint.
func command(args []string, s Streams) int {
	code := exitOK
	root := newRoot(s, &code)
	if len(args) == 0 {
		fmt.Fprint(s.Err, help(root))
		return exitUsage
	}
	err := unknownCommand(root, args[0])
	if err == nil {
		root.SetArgs(args)
		err = root.Execute()
	}
	if err != nil {
		fmt.Fprintf(s.Err, "error: %s\n", err)
		return exitUsage
	}
	return code
}

// newRoot returns the tree of commands. They store their exit code in code, and return only errors about the
// arguments.
func newRoot(s Streams, code *int) *cobra.Command {
	root := &cobra.Command{
		Use: program,
		Long: `dragonfly-generator expands DragonflyInstance claims into the objects that run them: for each a
StatefulSet, a Service, a password Secret, a connection Secret, and what the pod needs to create its password.

It is a KRM function: kustomize and kpt start it with a ResourceList on stdin and take one from stdout.
Without them, render does the same with files.`,
		Example: `  kustomize build --enable-alpha-plugins --enable-exec DIR
  kpt fn render DIR
  dragonfly-generator < resourcelist.yaml
  dragonfly-generator render claims/ -o manifests/`,
		Annotations: map[string]string{footer: `Environment:
  DRAGONFLY_PASSWORD_SEED   the seed for missing passwords, with the password source Seed

Exit codes:
  0   done
  1   an error; or, with --check, a folder that is not up to date
  2   invalid arguments

https://github.com/bizmatters/dragonfly-generator`},
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	version := root.Flags().BoolP("version", "v", false, "print the version")
	root.RunE = func(*cobra.Command, []string) error {
		if !*version {
			return errors.New("the command is missing; see `dragonfly-generator help`")
		}
		*code = write(s, []byte(buildVersion()+"\n"))
		return nil
	}
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { *code = write(s, []byte(help(cmd))) })
	root.SetHelpCommand(newHelp(root, s, code))
	root.SetOut(s.Out) // for what cobra itself prints: completions
	root.SetErr(s.Err)
	root.AddCommand(newInit(s, code), newExplain(s, code), newRender(s, code), newInstall(s, code),
		newPrepare(s, code), newKeepCertificate(s, code), newRefusePlainSecrets(s, code), newCompletion(root, s, code), newVersion(s, code))
	root.InitDefaultHelpCmd()
	for _, cmd := range append(root.Commands(), root) {
		cmd.Flags().SortFlags = false
		cmd.Flags().BoolP("help", "h", false, "print this help")
	}
	return root
}

func newRender(s Streams, code *int) *cobra.Command {
	var o render.Options
	cmd := &cobra.Command{
		Use:   "render PATH...",
		Short: "write manifests without kustomize or kpt",
		Long: `Reads files, folders and - (stdin) as plain YAML, expands the claims in them, and prints the manifests,
after the other resources. Claims and anything else not meant for the cluster are left out.

With -o, it writes the manifests of the instances into DIR, NAME.NAMESPACE/*.yaml, and nothing else. What
DIR contains is read first, and its passwords are kept. Only files that change are written, each one completely or
not at all. An instance whose claim is gone stays, with a warning, unless --prune is given.`,
		Example: `  dragonfly-generator render claims/ | kubectl apply -f -
  kustomize build prod | dragonfly-generator render - | kubectl apply -f -
  dragonfly-generator render claims/ -o manifests/
  dragonfly-generator render claims/ -o manifests/ --check`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return errors.New("render needs a PATH; name files or folders with claims, or - for stdin")
			case cmd.Flags().Changed("output") && o.Folder == "":
				return errors.New("-o needs a DIR, but it is empty; name a folder")
			case o.Folder == "-":
				return errors.New("-o needs a DIR; without -o, the manifests go to stdout")
			case cmd.Flags().Changed("config") && o.Config == "":
				return errors.New("--config needs a FILE, but it is empty; name a file")
			case o.Prune && o.Folder == "":
				return errors.New("--prune needs a folder to remove from; add -o DIR")
			case o.Check && o.Folder == "":
				return errors.New("--check needs a folder to compare with; add -o DIR")
			}
			for _, arg := range args {
				if arg == "" {
					return errors.New("a PATH is empty; name a file or folder, or - for stdin")
				}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			o.Paths = args
			*code = exitError
			if render.Run(o, s.forRender()) {
				*code = exitOK
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.Folder, "output", "o", "", "write into `DIR`, and keep the passwords that are there")
	flags.BoolVar(&o.Check, "check", false, "write nothing; print what would change in DIR, and exit with 1 if anything would")
	flags.BoolVar(&o.Prune, "prune", false, "remove from DIR the instances whose claims are gone")
	_ = cmd.MarkFlagDirname("output") // fails for a flag that is not there
	flags.StringVar(&o.Config, "config", "", "read the configuration, a DragonflyGenerator, from `FILE`, whatever is in PATH")
	return cmd
}

func newInstall(s Streams, code *int) *cobra.Command {
	return &cobra.Command{
		Use:               "install DIR",
		Short:             "copy this program into a folder",
		ValidArgsFunction: onlyFolders,
		Long: `Copies this program to DIR/dragonfly-generator, for an init container whose image has no shell, and prints
where it is.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return errors.New("install needs one DIR; name the folder to copy the program into")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			*code = install(s, args[0])
			return nil
		},
	}
}

func newVersion(s Streams, code *int) *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		ValidArgsFunction: cobra.NoFileCompletions,
		Short:             "print the version",
		Long:              "Prints the version.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("version takes no arguments; remove %q", args[0])
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error {
			*code = write(s, []byte(buildVersion()+"\n"))
			return nil
		},
	}
}

func newHelp(root *cobra.Command, s Streams, code *int) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]",
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, cmd := range root.Commands() {
				if len(args) == 0 {
					names = append(names, cmd.Name()+"\t"+cmd.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		Short: "print this help, or that of a command",
		Long:  "Prints the help, or that of a command.",
		RunE: func(_ *cobra.Command, args []string) error {
			about := root
			if len(args) > 0 {
				if err := unknownCommand(root, args[0]); err != nil {
					return err
				}
				about, _, _ = root.Find(args[:1])
			}
			*code = write(s, []byte(help(about)))
			return nil
		},
	}
}

// unknownCommand returns an error if the first argument is a word but not a command.
func unknownCommand(root *cobra.Command, word string) error {
	if strings.HasPrefix(word, "-") || isCompletion(word) {
		return nil
	}
	var names []string
	for _, cmd := range root.Commands() {
		if cmd.Name() == word {
			return nil
		}
		names = append(names, cmd.Name())
	}
	otherwise := "see `dragonfly-generator help`"
	if _, err := os.Stat(word); err == nil {
		otherwise = "to render it, use `dragonfly-generator render " + word + "`"
	}
	return fmt.Errorf("unknown command %q; %s", word, suggest(word, names, otherwise))
}

// flagError rewords an error about a flag.
func flagError(cmd *cobra.Command, err error) error {
	see := "see `" + strings.TrimSuffix(program+" help "+strings.TrimPrefix(cmd.Name(), program), " ") + "`"
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		if unknown.GetSpecifiedShortnames() != "" {
			return fmt.Errorf("unknown flag -%s; %s", unknown.GetSpecifiedName(), see)
		}
		var names []string
		cmd.Flags().VisitAll(func(flag *pflag.Flag) { names = append(names, "--"+flag.Name) })
		flag := "--" + unknown.GetSpecifiedName()
		return fmt.Errorf("unknown flag %s; %s", flag, suggest(flag, names, see))
	}
	var missing *pflag.ValueRequiredError
	if errors.As(err, &missing) {
		name, _ := pflag.UnquoteUsage(missing.GetFlag())
		return fmt.Errorf("--%s needs a %s; %s", missing.GetFlag().Name, name, see)
	}
	return fmt.Errorf("%w; %s", err, see)
}

// suggest returns a hint with the name that was probably meant.
func suggest(word string, names []string, otherwise string) string {
	if near := decode.Nearest(word, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return otherwise
}
