# Copyright the toolhub maintainers. Licence: GPL-3.0-or-later, see LICENSE.
"""A Tryton module: carry a call out, say what would be there, keep nothing."""
