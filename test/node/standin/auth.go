package main

import (
	"strings"
	"sync"
)

// A user is the stand-in's only user, called default.
type user struct {
	mu        sync.Mutex
	nopass    bool // any password is right
	passwords map[string]bool
}

// newUser returns the user at startup. With an empty password, none is needed.
func newUser(password string) *user {
	return &user{nopass: password == "", passwords: map[string]bool{password: password != ""}}
}

func (u *user) accepts(name, password string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return name == "default" && (u.nopass || u.passwords[password])
}

// allow adds a password. Earlier ones stay valid.
func (u *user) allow(password string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.nopass = false
	u.passwords[password] = true
}

func (u *user) forbid(password string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.passwords, password)
}

const wrongPassword = "WRONGPASS invalid username-password pair or user is disabled."

func (c *client) login(name, password string) bool {
	accepted := c.server.user.accepts(name, password)
	c.authenticated = c.authenticated || accepted
	return accepted
}

// auth is the command AUTH [user] password.
func (c *client) auth(args []string) []byte {
	if len(args) == 1 {
		args = []string{"default", args[0]}
	}
	switch {
	case len(args) != 2:
		return failure("ERR syntax error")
	case !c.login(args[0], args[1]):
		return failure(wrongPassword)
	}
	return []byte("+OK\r\n")
}

// hello is the command HELLO [2|3 [AUTH user password]].
func (c *client) hello(args []string) []byte {
	resp3 := len(args) > 0 && args[0] == "3"
	switch {
	case len(args) > 0 && !resp3 && args[0] != "2":
		return failure("ERR unknown command 'HELLO' with args beginning with: `" + args[0] + "`")
	case len(args) > 1 && (len(args) != 4 || !strings.EqualFold(args[1], "AUTH")):
		return failure("ERR syntax error")
	case len(args) > 1 && !c.login(args[2], args[3]):
		return failure(wrongPassword)
	}
	if !c.authenticated {
		return failure("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> " +
			"option can be used to authenticate the client and select the RESP protocol version at the same time")
	}
	c.resp3 = resp3
	version := 2
	if resp3 {
		version = 3
	}
	return c.table(
		bulk("server"), bulk("redis"), bulk("version"), bulk("7.4.0"), bulk("dragonfly_version"), bulk("df-v1.40.1"),
		bulk("proto"), integer(version), bulk("id"), integer(1), bulk("mode"), bulk("standalone"), bulk("role"), bulk("master"),
	)
}

// acl is the command ACL SETUSER default with passwords to allow, >password, and to forbid, <password.
func (c *client) acl(args []string) []byte {
	if len(args) < 2 || !strings.EqualFold(args[0], "SETUSER") || args[1] != "default" {
		return failure("ERR this stand-in for Dragonfly knows ACL SETUSER default alone")
	}
	for _, rule := range args[2:] {
		if !strings.HasPrefix(rule, ">") && !strings.HasPrefix(rule, "<") {
			return failure("ERR syntax error")
		}
	}
	for _, rule := range args[2:] {
		if rule[0] == '>' {
			c.server.user.allow(rule[1:])
		} else {
			c.server.user.forbid(rule[1:])
		}
	}
	return []byte("+OK\r\n")
}
