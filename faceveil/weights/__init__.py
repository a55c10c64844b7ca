"""Where each network comes from: manifest, licences, fetching, conversion, sessions."""
