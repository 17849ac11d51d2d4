# SPDX-License-Identifier: MIT
"""What a row of the protocol is, and what several of them need."""
from field import API, MODELS


def sample(figures=None, void=None, notes=()):
    return {"figures": figures or {}, "void": void or {}, "notes": list(notes)}


class Row:
    """A row; those of the protocol derive from it.  A cell of it is what a seed is measured for:
    the name of a server, or two names with a "/" between."""
    name = ""
    title = ""
    models = ("tasks", "loop", "threads")  # unless others are chosen
    needs_all_models = False

    def cells(self, chosen):
        """Of the models that the user chose, or of its own."""
        return [model for model in chosen or self.models]

    def seconds(self, field):
        """About how long a seed takes for a cell."""
        return 3 * field.unit_s

    def bars(self, field, cell):
        raise NotImplementedError

    def measure(self, field, cell, seed):
        raise NotImplementedError

    def show(self, cell, samples):
        """Lines beside the bars."""
        return []

    # What most rows begin with.
    def capacity(self, field, server, workload=API):
        """Of a model without control, or of a peer as it is."""
        return field.capacity(server, lambda: self.serve(field, server, control=False), workload)

    @staticmethod
    def serve(field, server, control=True):
        if server in MODELS:
            return field.serve(server, control=control)
        return field.serve_peer(server)

