package lang

import (
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

func netFunctions() map[string]function.Function {
	return map[string]function.Function{
		"cidrcontains": cidrContainsFunc(), "cidrhost": cidrHostFunc(), "cidrnetmask": textFunc(netmask),
		"cidrsubnet": cidrSubnetFunc(), "cidrsubnets": cidrSubnetsFunc(),
	}
}

func prefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q is not a network such as 10.0.0.0/8", text)
	}
	return p.Masked(), nil
}

func netmask(text string) (string, error) {
	p, err := prefix(text)
	if err != nil {
		return "", err
	}
	if !p.Addr().Is4() {
		return "", errors.New("only IPv4 networks have a netmask")
	}
	return net.IP(net.CIDRMask(p.Bits(), 32)).String(), nil
}

// cidrContainsFunc tells whether a network holds an address or a whole other network.
func cidrContainsFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("network", cty.String), param("address", cty.String)},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			outer, err := prefix(args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.Bool), err
			}
			if a, err := netip.ParseAddr(args[1].AsString()); err == nil {
				return cty.BoolVal(outer.Contains(a)), nil
			}
			inner, err := netip.ParsePrefix(args[1].AsString())
			if err != nil {
				return cty.UnknownVal(cty.Bool), fmt.Errorf("%q is neither an address nor a network", args[1].AsString())
			}
			return cty.BoolVal(inner.Bits() >= outer.Bits() && outer.Contains(inner.Addr())), nil
		},
	})
}

func cidrHostFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("network", cty.String), param("number", cty.Number)},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			p, err := prefix(args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.String), err
			}
			n, exact := args[1].AsBigFloat().Int(nil)
			if exact != big.Exact {
				return cty.UnknownVal(cty.String), errors.New("the number of a host must be whole")
			}
			size := new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits()))
			if n.Sign() < 0 {
				n.Add(n, size)
			}
			if n.Sign() < 0 || n.Cmp(size) >= 0 {
				return cty.UnknownVal(cty.String), errors.New("the network does not have that many hosts")
			}
			return cty.StringVal(offset(p.Addr(), n).String()), nil
		},
	})
}

func offset(a netip.Addr, n *big.Int) netip.Addr {
	raw := a.AsSlice()
	sum := new(big.Int).Add(new(big.Int).SetBytes(raw), n)
	moved, _ := netip.AddrFromSlice(sum.FillBytes(make([]byte, len(raw))))
	return moved
}

func cidrSubnetFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("network", cty.String), param("newbits", cty.Number), param("number", cty.Number)},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			p, err := prefix(args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.String), err
			}
			bits, number := whole(args[1]), whole(args[2])
			length := p.Bits() + bits
			if bits < 0 || length > p.Addr().BitLen() {
				return cty.UnknownVal(cty.String), errors.New("the address does not have that many bits")
			}
			if number < 0 || (bits < 31 && number >= 1<<bits) {
				return cty.UnknownVal(cty.String), errors.New("the network does not have that many subnets")
			}
			step := new(big.Int).Lsh(big.NewInt(int64(number)), uint(p.Addr().BitLen()-length))
			return cty.StringVal(netip.PrefixFrom(offset(p.Addr(), step), length).String()), nil
		},
	})
}

// cidrSubnetsFunc hands out subnets one after the other, each aligned to its own size.
func cidrSubnetsFunc() function.Function {
	bits := param("newbits", cty.Number)
	return function.New(&function.Spec{
		Params:   []function.Parameter{param("network", cty.String)},
		VarParam: &bits,
		Type:     function.StaticReturnType(cty.List(cty.String)),
		Impl: func(args []cty.Value, want cty.Type) (cty.Value, error) {
			p, err := prefix(args[0].AsString())
			if err != nil || len(args) == 1 {
				return cty.ListValEmpty(cty.String), err
			}
			list, err := carve(p, args[1:])
			if err != nil {
				return cty.UnknownVal(want), err
			}
			return cty.ListVal(list), nil
		},
	})
}

func carve(p netip.Prefix, newbits []cty.Value) ([]cty.Value, error) {
	width := p.Addr().BitLen()
	room := new(big.Int).Lsh(big.NewInt(1), uint(width-p.Bits()))
	used, list := new(big.Int), []cty.Value{}
	for _, one := range newbits {
		length := p.Bits() + whole(one)
		if length < p.Bits() || length > width {
			return nil, errors.New("the address does not have that many bits")
		}
		size := new(big.Int).Lsh(big.NewInt(1), uint(width-length))
		if rest := new(big.Int).Mod(used, size); rest.Sign() > 0 {
			used.Add(used, size).Sub(used, rest)
		}
		if new(big.Int).Add(used, size).Cmp(room) > 0 {
			return nil, errors.New("the network is too small for all of these subnets")
		}
		list = append(list, cty.StringVal(netip.PrefixFrom(offset(p.Addr(), used), length).String()))
		used.Add(used, size)
	}
	return list, nil
}
