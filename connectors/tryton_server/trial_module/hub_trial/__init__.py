# Copyright the toolhub maintainers. Licence: GPL-3.0-or-later, see LICENSE.
"""A Tryton module: try a call and keep nothing of it, or carry it out only if all parts of its document still stand."""
