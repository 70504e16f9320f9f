from montydb import MontyClient


class MontyDBStore:
    def __init__(self, root):
        self.client = MontyClient(str(root))
        self.documents, self.close = self.client.store.documents, self.client.close

    def put(self, key, document):
        self.documents.replace_one({"_id": key}, {"_id": key, "document": document}, upsert=True)

    def get(self, key):
        row = self.documents.find_one({"_id": key})
        return row and row["document"]

    def delete(self, key):
        self.documents.delete_one({"_id": key})
