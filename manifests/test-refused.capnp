# A manifest that init must refuse: two services that depend on each other.

@0xb7d2f0c4a6e81935;

using Manifest = import "/capos/manifest.capnp";
using Interface = import "interfaces.capnp";

const manifest :Manifest.Manifest = (
  name = "test-refused",
  services = [
    (name = "hen", program = "bin/bank",
      provides = [(name = "egg", interface = Interface.bank)],
      grants = [(name = "b", source = (service = (name = "egg", provided = "hen")))]),
    (name = "egg", program = "bin/bank",
      provides = [(name = "hen", interface = Interface.bank)],
      grants = [(name = "a", source = (service = (name = "hen", provided = "egg")))])]);
