@path: '/orders'
@requires: 'authenticated-user'
service OrderService {
  @odata.draft.enabled
  entity Orders {
    key ID : UUID;
    customer : String(60) not null @mandatory;
    note : String(200) not null default '';
    status : String(12) enum { open; sent; cancelled } not null default 'open';
    total : Decimal(12, 2) @readonly;
    @odata.etag modifiedAt : Timestamp @cds.on.insert: $now @cds.on.update: $now;
    items : Composition of many Items on items.order = $self;
  } actions {
    action cancel(reason : String(100) not null) returns Orders;
  };

  entity Items {
    key ID : UUID;
    order : Association to Orders;
    product : String(40) not null;
    quantity : Integer not null @assert.range: [1, 1000];
    price : Decimal(10, 2) not null;
  }

  entity Customers {
    key code : String(20);
    name : String(80) not null @mandatory;
    credit : Decimal(12, 2) not null default 0;
    @odata.etag modifiedAt : Timestamp @cds.on.insert: $now @cds.on.update: $now;
  }

  function openTotal(customer : String(60) not null) returns Decimal(12, 2);
}

// What took effect on live records, in its order; no service shows it.
entity journal.Entries {
  key number : Integer;
  event : String(20);
}
