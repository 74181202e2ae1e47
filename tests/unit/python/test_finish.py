from __future__ import annotations

import pytest

from farm.ecosystems.python.finish import _normal_form


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("sample_lib-1.0-py3-none-any.whl", "sample_lib-1.0-py3-none-any.whl"),
        ("PyYAML-6.0.2-cp311-cp311-linux_x86_64.whl", "pyyaml-6.0.2-cp311-cp311-linux_x86_64.whl"),
        ("zope.interface-7.0-py3-none-any.whl", "zope_interface-7.0-py3-none-any.whl"),
        ("sample-1.0.RC1+Local_2-py2.py3-none-any.whl", "sample-1.0rc1+local.2-py2.py3-none-any.whl"),
    ],
)
def test_names_get_their_normal_form(written: str, normal: str) -> None:
    assert _normal_form(written) == normal
