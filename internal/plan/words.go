package plan

import (
	"fmt"
	"strings"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/claim"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// refuse reports why there is no password for the claim.
func (p *passwords) refuse(why refusal, f facts, c claim.Claim) {
	pw := hidden{f.password, c, p.hider(c, c.PasswordSecret())}
	conn := hidden{f.connection, c, p.hider(c, c.ConnectionSecret())}
	switch why {
	case rotatesHiddenPassword:
		p.refuseRotation(c, c.PasswordSecret(), pw)
	case rotatesHiddenConnection:
		p.refuseRotation(c, c.ConnectionSecret(), conn)
	case hidesPasswordOfConnection:
		p.refuseHidden(c, c.ConnectionSecret(), c.PasswordSecret(), pw, instance.EndpointKey, instance.PortKey, instance.PasswordKey)
	case hidesPasswordOfPassword:
		p.refuseHidden(c, c.PasswordSecret(), c.ConnectionSecret(), conn, instance.PasswordKey)
	case connectionLacksKeys:
		p.results.Errorf(p.only(c.ConnectionSecretID()), "lacks %s, but it is encrypted with SOPS and cannot be changed; decrypt the Secrets of %s, run this again, and encrypt both",
			strings.Join(p.missingKeys(c), ", "), c.Name)
	case rotatesExisting:
		p.results.FieldErrorf(c.Item, rotationField(c), "a new password is requested, but the password source %s makes none; write it into the Secret %s yourself, and remove the annotation %s from that Secret to mark it as yours",
			v1alpha1.Existing, c.PasswordSecret(), v1alpha1.GeneratedFrom)
	case notExisting:
		p.results.Errorf(c.Item, "the password source is %s, but the Secret %s is missing or has no password; add that Secret beside the claim, with the key %s",
			v1alpha1.Existing, c.PasswordSecret(), instance.PasswordKey)
	case lost:
		p.results.Errorf(c.Item, "the instance was rendered before, but its Secret %s is missing or has no password; restore it with `kubectl get secret %s -n %s -o yaml` or from Git's history, or ask for a new password with the annotation %s",
			c.PasswordSecret(), c.PasswordSecret(), c.Namespace, v1alpha1.PasswordRotation)
	case none:
	}
}

func (p *passwords) refuseRotation(c claim.Claim, name string, h hidden) {
	p.results.FieldErrorf(c.Item, rotationField(c), "a new password is requested, but the Secret %s is %s and cannot be written here; %s",
		name, h.how(), h.wayToRotate())
}

// refuseHidden reports that a Secret, which has those keys, has to be written with a password that another
// one hides.
func (p *passwords) refuseHidden(c claim.Claim, write, name string, h hidden, keys ...string) {
	p.results.Errorf(c.Item, "the Secret %s has to be written, but the password cannot be read: the Secret %s is %s; %s",
		write, name, h.how(), h.wayToWrite(write, keys...))
}

func rotationField(c claim.Claim) report.Field {
	return report.Field{Path: "metadata.annotations[" + v1alpha1.PasswordRotation + "]", Current: c.Rotation}
}

// hidden is a Secret that cannot be read.
type hidden struct {
	secretView
	claim claim.Claim
	by    string // what stands for it: kind and name
}

// hider returns the name of the SealedSecret, ExternalSecret or encrypted Secret that hides a Secret of the
// claim, or "".
func (p *passwords) hider(c claim.Claim, secret string) string {
	if standIn := p.standIns[c.SecretID(secret)]; standIn != nil {
		return standIn.Kind + " " + standIn.Name
	}
	return ""
}

func (h hidden) how() string {
	if h.state == encrypted {
		return "encrypted with SOPS"
	}
	return "made by the " + h.by
}

func (h hidden) wayToRotate() string {
	if h.state == encrypted {
		return fmt.Sprintf("decrypt %s and %s, run this again, and encrypt both", h.claim.PasswordSecret(), h.claim.ConnectionSecret())
	}
	return fmt.Sprintf("make the new password where the %s gets it, and set the annotation %s: %q in its template", h.by, v1alpha1.PasswordRotation, h.claim.Rotation)
}

// wayToWrite explains how to create the other Secret, with those keys, although this one hides the password.
func (h hidden) wayToWrite(other string, keys ...string) string {
	if h.state == encrypted {
		return fmt.Sprintf("decrypt the Secrets of %s, run this again, and encrypt both", h.claim.Name)
	}
	kind, _, _ := strings.Cut(h.by, " ")
	return fmt.Sprintf("add another %s that makes %s, with %s in it", kind, other, strings.Join(keys, ", "))
}
