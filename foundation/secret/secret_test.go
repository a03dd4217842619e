package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/foundation/secret"
)

func TestStringNeverShows(t *testing.T) {
	const text = "hunter2"
	s := secret.NewString(text)
	type exported struct{ Key secret.String }
	type hidden struct{ key secret.String }
	var b bytes.Buffer
	for _, v := range []any{s, &s, exported{s}, &exported{s}, hidden{s}, &hidden{s}, []secret.String{s}, map[string]any{"k": s}, map[secret.String]int{s: 1}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
			fmt.Fprintf(&b, verb+"\n", v)
		}
		if j, err := json.Marshal(v); err == nil {
			b.Write(j)
		}
		slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "v", v)
		slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
	}
	fmt.Fprintln(&b, fmt.Errorf("wrapped: %v", s), fmt.Sprint(s))
	if strings.Contains(b.String(), text) || strings.Contains(b.String(), fmt.Sprintf("%x", text)) {
		t.Fatalf("it leaks:\n%s", b.String())
	}
	if s.Reveal() != text || s.IsZero() || !(secret.String{}).IsZero() || (secret.String{}).Reveal() != "" {
		t.Fatal("Reveal or IsZero is wrong")
	}
	if !s.Equal(secret.NewString(text)) || s.Equal(secret.NewString("x")) {
		t.Fatal("Equal is wrong")
	}
}

func TestStringReadsJSON(t *testing.T) {
	var v struct{ Token secret.String }
	if err := json.Unmarshal([]byte(`{"Token":"abc"}`), &v); err != nil || v.Token.Reveal() != "abc" {
		t.Fatalf("got %q, %v", v.Token.Reveal(), err)
	}
}

func TestToken(t *testing.T) {
	a, b := secret.NewToken("rk_").Reveal(), secret.NewToken("rk_").Reveal()
	if a == b || len(a) != 3+43 || !strings.HasPrefix(a, "rk_") {
		t.Fatalf("got tokens of %d and %d characters", len(a), len(b))
	}
	if h := secret.HashToken("abc"); h != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Fatalf("got %s", h) // FIPS 180-2 appendix B.1
	}
}

func keys(t testing.TB, text string) *secret.Sealer {
	s, err := secret.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealOpen(t *testing.T) {
	s := keys(t, "k1:"+secret.NewKey().Reveal())
	rapid.Check(t, func(t *rapid.T) {
		plain, aad := rapid.SliceOf(rapid.Byte()).Draw(t, "plain"), rapid.SliceOf(rapid.Byte()).Draw(t, "aad")
		sealed := s.Seal(plain, aad)
		got, err := s.Open(sealed, aad)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("got %v, %v", got, err)
		}
		if _, err := s.Open(sealed, append(aad, 'x')); !errors.Is(err, secret.ErrBroken) {
			t.Fatalf("another purpose: %v", err)
		}
		i := rapid.IntRange(0, len(sealed)-1).Draw(t, "i")
		altered := sealed[:i] + string(sealed[i]^1) + sealed[i+1:]
		if _, err := s.Open(altered, aad); err == nil {
			t.Fatalf("altered at %d, and it opens", i)
		}
	})
	if first, second := s.Seal([]byte("x"), nil), s.Seal([]byte("x"), nil); first == second {
		t.Fatal("two seals of the same are the same")
	}
}

func TestRotation(t *testing.T) {
	k1, k2 := "k1:"+secret.NewKey().Reveal(), "k2:"+secret.NewKey().Reveal()
	old := keys(t, k1).Seal([]byte("v"), nil)
	both := keys(t, k2+", "+k1)
	if got, err := both.Open(old, nil); err != nil || string(got) != "v" {
		t.Fatalf("got %q, %v", got, err)
	}
	fresh := both.Seal([]byte("v"), nil)
	if !both.NeedsReseal(old) || both.NeedsReseal(fresh) || !both.NeedsReseal("rubbish") {
		t.Fatal("NeedsReseal is wrong")
	}
	if _, err := keys(t, k2).Open(old, nil); !errors.Is(err, secret.ErrUnknownKey) {
		t.Fatalf("got %v", err)
	}
	other := keys(t, "k1:"+secret.NewKey().Reveal())
	if _, err := other.Open(old, nil); !errors.Is(err, secret.ErrBroken) {
		t.Fatalf("got %v", err)
	}
}

func TestParseKeysRefuses(t *testing.T) {
	k := secret.NewKey().Reveal()
	for _, text := range []string{"", "k1", "k1:", ":" + k, "k.1:" + k, "k1:" + k + ",", "k1:" + k + ",k1:" + k, "k1:c2hvcnQ=", "k1:!" + k} {
		_, err := secret.ParseKeys(text)
		if !errors.Is(err, secret.ErrKeys) {
			t.Errorf("%d characters: got %v", len(text), err)
		} else if strings.Contains(err.Error(), k) {
			t.Error("the error shows the key")
		}
	}
}

func FuzzOpen(f *testing.F) {
	s := keys(f, "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	f.Add(s.Seal([]byte("v"), nil))
	for _, seed := range []string{"", "s1", "s1.k1", "s1.k1.", "s1.k1.AAAA", "s2.k1.AAAA", "s1.k2.AAAA", "s1..", "s1.k1.%%%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sealed string) {
		s.NeedsReseal(sealed)
		if plain, err := s.Open(sealed, []byte("a purpose that no seed has")); err == nil {
			t.Fatalf("forged: %q", plain)
		}
		if plain, err := s.Open(sealed, nil); err == nil {
			if again, err := s.Open(s.Seal(plain, nil), nil); err != nil || !bytes.Equal(again, plain) {
				t.Fatal("what opens cannot be sealed again")
			}
		}
	})
}

func Example() {
	sealer, err := secret.ParseKeys("2030:" + secret.NewKey().Reveal())
	if err != nil {
		panic(err)
	}
	token := secret.NewString("xoxb-1234")
	sealed := sealer.Seal([]byte(token.Reveal()), []byte("acme/slack/token"))
	plain, err := sealer.Open(sealed, []byte("acme/slack/token"))
	fmt.Println(token, string(plain), err)
	_, err = sealer.Open(sealed, []byte("other/slack/token"))
	fmt.Println(errors.Is(err, secret.ErrBroken))
	// Output:
	// [redacted] xoxb-1234 <nil>
	// true
}
