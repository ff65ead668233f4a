package krm_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/krm"
)

func TestDocuments(t *testing.T) {
	for _, tc := range []struct {
		reason string
		text   string
		kinds  []string // "" for an empty document
	}{
		{reason: "A file may contain one document.", text: "kind: A\n", kinds: []string{"A"}},
		{reason: "An empty file is a document without content.", text: "", kinds: []string{""}},
		{reason: "Dashes separate.", text: "kind: A\n---\nkind: B\n", kinds: []string{"A", "B"}},
		{reason: "One may precede the first document.", text: "---\nkind: A\n---\nkind: B", kinds: []string{"A", "B"}},
		{reason: "Content may follow on the separator's line.", text: "--- # first\nkind: A\n--- {kind: B}\n", kinds: []string{"A", "B"}},
		{reason: "Comments alone are not content.", text: "# a\n---\n# b\nkind: B\n---\n", kinds: []string{"", "B", ""}},
		{reason: "Dashes inside a string are not at the start of the line.", text: "kind: A\ntext: |\n  ---\n  kind: B\n", kinds: []string{"A"}},
		{reason: "More than three dashes are a string.", text: "kind: A----\n", kinds: []string{"A----"}},
		{reason: "Windows line endings work.", text: "kind: A\r\n---\r\nkind: B\r\n", kinds: []string{"A", "B"}},
		{reason: "Three dots end a document.", text: "kind: A\n...\n---\nkind: B\n", kinds: []string{"A", "B"}},
		{reason: "A directive belongs to the document that follows.", text: "%YAML 1.2\n---\nkind: A\n", kinds: []string{"", "A"}},
		{reason: "A byte order mark is not content.", text: "\ufeffkind: A\n", kinds: []string{"A"}},
		{reason: "JSON is YAML, except for its tabs.", text: "{\n\t\"kind\": \"A\"\n}\n", kinds: []string{"A"}},
	} {
		documents, err := krm.Documents("file.yaml", []byte(tc.text))
		require.NoError(t, err, tc.reason)
		var kinds []string
		var text bytes.Buffer
		for _, document := range documents {
			text.Write(document.Text)
			kind := ""
			if document.Node != nil {
				kind = krm.NewItem(document.Node.Content[0]).Kind
			}
			kinds = append(kinds, kind)
		}
		assert.Equal(t, tc.kinds, kinds, tc.reason)
		assert.Equal(t, tc.text, text.String(), "The texts of the documents add up to the file.")
	}
}

func TestDocumentsThatCannotBeRead(t *testing.T) {
	for _, tc := range []struct{ reason, text, want string }{
		{"The line number counts from the start of the file.", "a: b\n---\nc: d\n---\ne: \"hunter2\n", "file.yaml is not valid YAML near line 5; correct it (the text is not shown, because it may contain a secret)"},
		{"An error without a line number reports none.", "a: *hunter2\n", "file.yaml is not valid YAML; correct it (the text is not shown, because it may contain a secret)"},
		{"A separator in UTF-16 would not be found.", "\xff\xfea\x00:\x00 \x00b\x00\n\x00", "file.yaml is in UTF-16, which `>` in Windows PowerShell produces; convert it to UTF-8 (in PowerShell, write `| Out-File -Encoding utf8` instead of `>`)"},
		{"Whatever its byte order.", "\xfe\xff\x00a\x00:\x00 \x00b\x00\n", "file.yaml is in UTF-16, which `>` in Windows PowerShell produces; convert it to UTF-8 (in PowerShell, write `| Out-File -Encoding utf8` instead of `>`)"},
		{"Three dots alone do not separate documents.", "kind: A\n...\nhunter2: B\n", "file.yaml is not valid YAML near line 2; correct it (the text is not shown, because it may contain a secret)"},
	} {
		_, err := krm.Documents("file.yaml", []byte(tc.text))
		assert.EqualError(t, err, tc.want, tc.reason)
	}
}

func TestFileItem(t *testing.T) {
	documents, err := krm.Documents("x", []byte("kind: A\nmetadata: {annotations: {config.kubernetes.io/path: other.yaml}}\n"))
	require.NoError(t, err)
	item := krm.NewFileItem(documents[0].Node.Content[0], "claims.yaml", 2)
	assert.Equal(t, "claims.yaml[2]", item.Location(), "The path that we read from counts, not the one in its annotation.")

	list := krm.NewList([]*krm.Item{item}, nil)
	assert.Equal(t, []*krm.Item{item}, list.Find(item.ID))
}
