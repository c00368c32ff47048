package sys

import (
	"errors"
	"fmt"
	"os"
	"testing"
)

func TestANameIsClaimedOnceUntilItIsReleased(t *testing.T) {
	name := fmt.Sprintf("matmul-test/%d", os.Getpid())
	c, holder, err := NewClaim(name)
	if err != nil || holder != 0 {
		t.Fatal(holder, err)
	}
	if _, holder, err := NewClaim(name); !errors.Is(err, ErrClaimed) || holder != os.Getpid() {
		t.Errorf("a second claim: %v, held by %d, want %d", err, holder, os.Getpid())
	}
	other, _, err := NewClaim(name + "/other")
	if err != nil {
		t.Error(err)
	}
	other.Release()
	c.Release()
	c, _, err = NewClaim(name)
	if err != nil {
		t.Errorf("after the release: %v", err)
	}
	c.Release()
}
